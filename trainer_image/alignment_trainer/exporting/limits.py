"""Decides whether a written model is close enough to the original; pure."""

import math
from collections.abc import Iterable

from alignment_api.results.evaluation import Estimate
from alignment_api.results.export import Fidelity, Limit, Size

from alignment_trainer.exporting.formats import FORMATS
from alignment_trainer.settings.export import ProofSettings

_DIVERGENCE, _INCREASE, _AGREEMENT = "maximumDivergence", "maximumPerplexityIncrease", "minimumAgreement"


def limits_of(proof: ProofSettings, original: Fidelity, written: Fidelity) -> list[Limit]:
    """Return each limit that is set, with what the written model reached."""
    divergence, agreement = _value(written.divergence), _value(written.agreement)
    known = (
        (_DIVERGENCE, proof.maximum_divergence, divergence),
        (_INCREASE, proof.maximum_perplexity_increase, _increase(original, written)),
        (_AGREEMENT, proof.minimum_agreement, agreement),
    )
    return [
        Limit(
            name=name,
            limit=limit,
            figure=figure if math.isfinite(figure) else None,
            is_broken=figure < limit if name == _AGREEMENT else figure > limit,
        )
        for name, limit, figure in known
        if limit is not None
    ]


def excesses(limits: Iterable[Limit], original: Fidelity, written: Fidelity) -> list[str]:
    """Return what a written model exceeds, with the figures."""
    return [_excess(one, original, written) for one in limits if one.is_broken]


def _excess(one: Limit, original: Fidelity, written: Fidelity) -> str:
    if one.name == _DIVERGENCE:
        found = f"diverges by {_value(written.divergence):.4g} nats per token from the original, more"
    elif one.name == _AGREEMENT:
        found = f"finds the same token likeliest for {_value(written.agreement):.4f} of the tokens, less"
    else:
        before, after = _value(original.perplexity), _value(written.perplexity)
        return (
            f"its perplexity is {after:.4f} where the original's is {before:.4f}, an increase of "
            f"{_increase(original, written):.4g}, more than {one.name} {one.limit:g}"
        )
    return f"it {found} than {one.name} {one.limit:g}"


def _increase(original: Fidelity, written: Fidelity) -> float:
    return _value(written.perplexity) / _value(original.perplexity) - 1


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
