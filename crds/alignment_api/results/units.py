"""In what metrics are measured: a table cannot show whether 31 is 31 of 100."""

import re
from collections.abc import Iterable

_SHARES = (
    *("accuracy", "accuracy_normalized", "rouge_1", "rouge_2", "rouge_l", "pass_at_1", "win_rate", "win_rate_length_adjusted"),
    *("ties", "reward_accuracy", "normalized_accuracy", "full_refusal", "partial_refusal", "compliance"),
    *("acc", "acc_norm", "exact_match", "average", "agreement"),
)
_UNITS = {
    **dict.fromkeys(_SHARES, "0 to 1"),
    "bleu": "0 to 100",
    "grade": "1 to 10",
    "reward_margin": "beta times nats",
    "divergence": "nats per token",
    "bits_per_byte": "bits",
    **dict.fromkeys(("size_ratio", "perplexity_increase"), "share"),
    **dict.fromkeys(("perplexity", "whole_window_perplexity", "word_perplexity", "byte_perplexity"), "1 and above"),
    **dict.fromkeys(("length", "opponent_length"), "characters"),
    **dict.fromkeys(("tokens", "chosen_tokens", "rejected_tokens"), "tokens"),
    **dict.fromkeys(("bytes", "bytes_before", "linear_bytes", "linear_bytes_before"), "bytes"),
}
_BETWEEN_PARTS = re.compile(r"[/.]")
"""A metric may have a part of its task's rows in its name, as in grade/turn_1, or the name of a benchmark, as in arc.acc."""


def unit_of(metric: str) -> str | None:
    """Return the range or the unit of a metric; None if it is not known, as of many a benchmark."""
    part = _measured_part(metric)
    return _UNITS[part] if part else None


def unit_sentence(metrics: Iterable[str]) -> str | None:
    """Return the units of metrics that a table shows; None if none is known."""
    found: dict[str, dict[str, None]] = {}
    for metric in metrics:
        if part := _measured_part(metric):
            found.setdefault(_UNITS[part], {})[part] = None
    units = "; ".join(f"{', '.join(names)}: {unit}" for unit, names in found.items())
    return f"Units: {units}." if units else None


def _measured_part(metric: str) -> str | None:
    return next((part for part in _BETWEEN_PARTS.split(metric) if part in _UNITS), None)
