"""Decides whether a written model is close enough to the original; pure."""

import math
from collections.abc import Iterator

from alignment_api.results.evaluation import Estimate
from alignment_api.results.export import Fidelity, Size

from alignment_trainer.exporting.formats import FORMATS
from alignment_trainer.settings.export import ProofSettings


def excesses(proof: ProofSettings, original: Fidelity, written: Fidelity) -> list[str]:
    """Return which limits a written model exceeds, with the figures."""
    return list(_excesses(proof, original, written))


def _excesses(proof: ProofSettings, original: Fidelity, written: Fidelity) -> Iterator[str]:
    divergence, agreement = _value(written.divergence), _value(written.agreement)
    if proof.maximum_divergence is not None and divergence > proof.maximum_divergence:
        yield (
            f"it diverges by {divergence:.4g} nats per token from the original, more than maximumDivergence "
            f"{proof.maximum_divergence:g}"
        )
    increase = _value(written.perplexity) / _value(original.perplexity) - 1
    if proof.maximum_perplexity_increase is not None and increase > proof.maximum_perplexity_increase:
        yield (
            f"its perplexity is {_value(written.perplexity):.4f} where the original's is {_value(original.perplexity):.4f}, an "
            f"increase of {increase:.4g}, more than maximumPerplexityIncrease {proof.maximum_perplexity_increase:g}"
        )
    if proof.minimum_agreement is not None and agreement < proof.minimum_agreement:
        yield (
            f"it finds the same token likeliest for {agreement:.4f} of the tokens, less than minimumAgreement "
            f"{proof.minimum_agreement:g}"
        )


def size_fault(quantization: str, weights: int, after: Size) -> str | None:
    """Return how the files show that the `weights` weights of linear layers were not rounded."""
    wanted = FORMATS[quantization]
    if wanted.dtype is None:
        return None
    if wanted.dtype not in after.dtypes:
        return f"has no tensor of {wanted.dtype} in its files, but {', '.join(after.dtypes)}"
    if not weights:
        return "has no linear layer that could be rounded"
    share = after.linear_bytes / (2 * weights)
    if share > wanted.largest_share:
        return (
            f"has linear layers of {after.linear_bytes} bytes, {share:.2f} of their size in 16 bit, too many for {quantization}"
        )
    return None


def _value(estimate: Estimate | None) -> float:
    assert estimate is not None, "a proof has compared at least one token"
    # A perplexity that is too large for a number has no value.
    return math.inf if estimate.value is None else estimate.value
