"""By how much one score exceeds another, with an interval, and whether that is more than chance."""

import math
from typing import NamedTuple

from alignment_api.results.evaluation import Better, Difference, Estimate, EvaluationReport, MeasuredModel, Score
from alignment_api.results.unlike import kind_of

_DEVIATIONS = 1.959964
"""A 95 % interval reaches so many standard errors to each side."""


class Compared(NamedTuple):
    """A difference of two scores."""

    estimate: Estimate
    is_paired: bool
    """Whether the rows of both were joined; otherwise the interval is that of independent rows, which is wider."""


class Pair(NamedTuple):
    """What a paired difference belongs to, in whichever report it stands."""

    task: str
    metric: str
    kind: str
    """How the task was measured."""
    relative_to: str | None
    """The weights that both scores are relative to."""
    model: str
    """What identifies the model whose metric exceeds."""
    against: str


def paired_differences(report: EvaluationReport) -> dict[Pair, Estimate]:
    """Return the differences of a report in both directions."""
    models = {model.name: identity(model) for model in report.models}
    kinds = {task.name: kind_of(task) for task in report.tasks}
    relative = {(one.task, one.metric, one.model): relative_to(one) for one in report.scores}
    found: dict[Pair, Estimate] = {}
    for known in report.differences:
        if known.task in kinds and known.model in models and known.against in models:
            model, against = models[known.model], models[known.against]
            weights = relative.get((known.task, known.metric, known.model))
            measure = (known.task, known.metric, kinds[known.task], weights)
            found[Pair(*measure, against, model)] = _turned(known)
            found[Pair(*measure, model, against)] = known.estimate
    return found


def identity(model: MeasuredModel) -> str:
    """Return a text that two models share if they have the same weights in the same number format."""
    return f"{model.weights} {model.quantization}"


def relative_to(score: Score) -> str | None:
    """Return the weights that a score is relative to."""
    return score.against.weights if score.against else None


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
