"""By how much one score exceeds another, with an interval, and whether that is more than chance."""

import math
from typing import NamedTuple

from alignment_api.results.evaluation import Better, Difference, Estimate, EvaluationReport

_DEVIATIONS = 1.959964
"""A 95 % interval reaches so many standard errors to each side."""


class Compared(NamedTuple):
    """A difference of two scores."""

    estimate: Estimate
    is_paired: bool
    """Whether the rows of both were joined; otherwise the interval is that of independent rows, which is wider."""


def paired(report: EvaluationReport, task: str, metric: str, model: str, against: str) -> Compared | None:
    """Return by how much a model exceeds another one in a report, whichever of them the report names first."""
    for known in report.differences:
        if (known.task, known.metric) == (task, metric):
            if (known.model, known.against) == (model, against):
                return Compared(known.estimate, is_paired=True)
            if (known.model, known.against) == (against, model):
                return Compared(_turned(known), is_paired=True)
    return None


def unpaired(score: Estimate, other: Estimate) -> Compared | None:
    """Return by how much a score exceeds one that was measured apart from it; None if one of them has no value."""
    if score.value is None or other.value is None:
        return None
    value, count = score.value - other.value, min(score.count, other.count)
    if score.error is None or other.error is None:
        return Compared(Estimate(value=value, count=count), is_paired=False)
    error = math.hypot(score.error, other.error)
    low, high = value - _DEVIATIONS * error, value + _DEVIATIONS * error
    return Compared(Estimate(value=value, error=error, low=low, high=high, count=count), is_paired=False)


def is_beyond_chance(difference: Estimate, better: Better) -> bool:
    """Return whether a difference in favour of the first score exceeds its 95 % interval."""
    if better == "Lower":
        return difference.high is not None and difference.high < 0
    return better == "Higher" and difference.low is not None and difference.low > 0


def _turned(known: Difference) -> Estimate:
    found = known.estimate
    value, low, high = (None if number is None else -number for number in (found.value, found.high, found.low))
    return found.model_copy(update={"value": value, "low": low, "high": high})
