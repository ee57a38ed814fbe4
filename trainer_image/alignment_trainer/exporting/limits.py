"""Decides whether a written model is close enough to the original; pure."""

from collections.abc import Iterator

from alignment_api.results.evaluation import Estimate
from alignment_api.results.export import Fidelity, Size

from alignment_trainer.settings.export import ProofSettings

_SHARES = {"Int8": 0.65, "W8A16": 0.65, "FP8": 0.65, "Int4": 0.45, "W4A16": 0.45, "GPTQ": 0.45}
"""The largest share of their 16-bit size that linear layers may have in each format, with its scales."""
_DTYPES = {"Int8": "I8", "Int4": "U8", "W8A16": "I32", "W4A16": "I32", "GPTQ": "I32", "FP8": "F8_E4M3"}


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
    wanted = _DTYPES.get(quantization)
    if wanted is None:
        return None
    if wanted not in after.dtypes:
        return f"has no tensor of {wanted} in its files, but {', '.join(after.dtypes)}"
    share = after.linear_bytes / (2 * weights)
    if share > _SHARES[quantization]:
        return (
            f"has linear layers of {after.linear_bytes} bytes, {share:.2f} of their size in 16 bit, too many for {quantization}"
        )
    return None


def _value(estimate: Estimate | None) -> float:
    assert estimate is not None and estimate.value is not None, "a proof has compared at least one token"
    return estimate.value
