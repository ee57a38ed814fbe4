"""What an experienced reader would notice in the curves of a stage: where it is, what it means, and what to do about it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy
import pandas
from alignment_api.metrics import (
    EVALUATION_LOSS,
    EVALUATION_PAIRS,
    EVALUATION_REWARD_ACCURACY,
    GRADIENT_NORM,
    LOSS,
    REWARD_CHOSEN,
    REWARD_MARGIN,
    TOKENS_PER_SECOND,
    TOTAL_STEPS,
)
from numpy.typing import NDArray

from alignment_dashboard.facts.outliers import outliers, usual
from alignment_dashboard.store.history import NO_POINTS, Histories, History

Numbers = NDArray[numpy.float64]

FEWEST = 40
"""A curve of fewer points says nothing about what is usual in it."""
BEGINNING = 20
"""The first steps have large gradients and a slow start, as loading, compiling and warming up need."""
SHARE_OF_BEGINNING = 0.1
"""Warming up takes this share of a long run."""
SPIKE = 1.5
"""A loss counts as a spike from this multiple of its neighbours on: a batch of hard rows is rarely above it. It must be an
outlier too, so a loss near 0, whose noise is many times its mean, has none."""
STEEP_ONCE, STEEP_LONG, WHILE = 20.0, 4.0, 20
"""A gradient norm that is clipped at 1 still gives the direction of one batch, so a single step counts only from twenty times
the median on; twenty steps in a row that are four times as large show an unstable training."""
SLOW = 0.7
"""Lengths of rows change the speed of a step by less than this; a lost GPU, a busy disk or a slow node change it by more."""
LIKELY = 4.0
"""Means must differ by so many standard errors; since the values of neighbouring steps depend on each other, two are too few."""
SHARE_OF_MARGIN = 1.0
"""A reward is beta times the change of a log-probability, and the margin is the chosen minus the rejected reward. Preference
training usually lowers both; it counts if the chosen one falls by as much as the margin gained, since answers like the chosen
ones then become far less likely too."""
YOUNG, FEW = 0.25, 100
"""The chosen reward of a stage often recovers, so nothing is said before this share of its steps, or this many points if the
number of its steps is not known."""
DROP = 0.02
"""A smaller fall of the accuracy on the holdout changes no decision."""


class Finding(NamedTuple):
    """One thing to look at."""

    title: str
    step: int
    meaning: str
    """What it means and what to do, in a sentence or two."""


def findings(histories: Histories) -> list[Finding]:
    """Return what is noteworthy in the curves of one stage, the gravest first."""
    return [finding for check in CHECKS.values() if (finding := check(histories))]


def _not_finite(histories: Histories) -> Finding | None:
    broken = {
        name: _first(known, ~numpy.isfinite(known.values)) for name, known in _known(histories, LOSS, GRADIENT_NORM).items()
    }
    steps = {name: step for name, step in broken.items() if step is not None}
    if not steps:
        return None
    name = min(steps, key=lambda metric: steps[metric])
    what = "loss" if name == LOSS else "gradient"
    return Finding(
        f"The {what} is NaN or infinite",
        steps[name],
        "Nothing is learned after it. If it is one of the first steps, set precision: Float32; otherwise lower the learning "
        "rate, and check the rows of that step.",
    )


def _spike(histories: Histories) -> Finding | None:
    history = histories.get(LOSS, NO_POINTS)
    if len(history.steps) < FEWEST:
        return None
    found = outliers(history.values) & (history.values > SPIKE * usual(history.values))
    if not found.any():
        return None
    largest = int(numpy.nanargmax(numpy.where(found, history.values, numpy.nan)))
    times, factor = int(found.sum()), history.values[largest] / usual(history.values)[largest]
    return Finding(
        "Spike of the loss" if times == 1 else f"{times:,} spikes of the loss",
        int(history.steps[largest]),
        f"The loss was {factor:,.0f} times as high as around it. "
        + (
            "One batch does no harm if the curve goes on as before; if it does not, look at the rows of that step."
            if times == 1
            else "If they come back, lower the learning rate or the maximum gradient norm, and look at the rows of that step."
        ),
    )


def _steep(histories: Histories) -> Finding | None:
    history = histories.get(GRADIENT_NORM, NO_POINTS)
    if len(history.steps) < FEWEST:
        return None
    values = pandas.Series(numpy.where(numpy.isfinite(history.values), history.values, numpy.nan))
    beginning = max(BEGINNING, int(SHARE_OF_BEGINNING * len(values)))
    median = float(values[beginning:].median())
    # Beside the median of all, what is around a step and what came before it count: a norm that only falls is never steep.
    around, before = usual(values.to_numpy()), values.expanding(BEGINNING).median().shift(WHILE)
    lasting = values.rolling(WHILE, min_periods=WHILE).median()
    above = (values > STEEP_ONCE * numpy.maximum(around, median)) | (lasting > STEEP_LONG * numpy.maximum(before, median))
    step = _first(history, above.to_numpy(), after=beginning)
    if step is None:
        return None
    highest = float(values[beginning:][above[beginning:]].max()) / median
    return Finding(
        "Gradient norm far above its median",
        step,
        f"It reached {highest:,.0f} times its median. Such steps are clipped, so they follow few rows; if they repeat, lower the "
        "learning rate or lengthen the warmup.",
    )


def _chosen_falls(histories: Histories) -> Finding | None:
    chosen, margin = (histories.get(name, NO_POINTS) for name in (REWARD_CHOSEN, REWARD_MARGIN))
    if len(chosen.steps) < FEWEST or len(chosen.steps) != len(margin.steps) or _is_young(histories, chosen):
        return None
    falls = _falls_beside(chosen.values, margin.values)
    if not falls[-1] or not (_goes_on_falling(chosen.values) or _does_not_improve(histories)):
        return None
    # The first step from which it holds until the end.
    others = numpy.flatnonzero(~falls)
    late = slice(-BEGINNING, None)
    return Finding(
        "The chosen log-probability falls while the margin rises",
        int(chosen.steps[others[-1] + 1]),
        f"The rejected answers fall faster, so the margin is {_mean(margin.values[late]):.2g}, but the chosen reward is "
        f"{_mean(chosen.values[late]):.2g}. Raise beta, lower the learning rate, or train SFT on the chosen answers first.",
    )


def _is_young(histories: Histories, history: History) -> bool:
    totals = histories.get(TOTAL_STEPS, NO_POINTS).values
    return len(history.steps) < FEW if not len(totals) else bool(history.steps[-1] < YOUNG * totals[-1])


def _falls_beside(chosen: Numbers, margin: Numbers) -> NDArray[numpy.bool_]:
    """Return at which points the means of the last steps show a fall of the chosen reward as large as a margin that rose."""
    reward, gain = pandas.Series(chosen).rolling(BEGINNING), pandas.Series(margin).rolling(BEGINNING)
    fall, rise = -reward.mean(), gain.mean()
    error = LIKELY / BEGINNING**0.5
    found: NDArray[numpy.bool_] = (
        (fall > error * reward.std()) & (rise > error * gain.std()) & (fall >= SHARE_OF_MARGIN * rise)
    ).to_numpy()
    return found


def _goes_on_falling(chosen: Numbers) -> bool:
    part = max(BEGINNING, len(chosen) // 5)
    before, late = chosen[-2 * part : -part], chosen[-part:]
    return _mean(before) - _mean(late) > LIKELY * (_error(before) + _error(late))


def _does_not_improve(histories: Histories) -> bool:
    accuracy = histories.get(EVALUATION_REWARD_ACCURACY, NO_POINTS).values
    return len(accuracy) > 1 and bool(accuracy[-1] <= accuracy[0] + DROP)


def _overfits(histories: Histories) -> Finding | None:
    accuracy, margin = histories.get(EVALUATION_REWARD_ACCURACY, NO_POINTS), histories.get(REWARD_MARGIN, NO_POINTS)
    if len(accuracy.steps) < 4 or len(margin.steps) < FEWEST:
        return None
    best = int(numpy.argmax(numpy.where(numpy.isfinite(accuracy.values), accuracy.values, -numpy.inf)))
    after = accuracy.values[best + 1 :]
    rows = _rows(histories)
    error = float(numpy.sqrt(accuracy.values[best] * (1 - accuracy.values[best]) / rows)) if rows else DROP
    # The same rows are evaluated each time, so their error is smaller than that of two samples; the best of many is luck in part.
    limit = accuracy.values[best] - max(DROP, 2 * error)
    if len(after) < 2 or not (after[-2:] < limit).all() or not _grows(margin, int(accuracy.steps[best])):
        return None
    return Finding(
        "The accuracy on the holdout falls while the training margin grows",
        int(accuracy.steps[best]),
        f"It was best there, {accuracy.values[best]:.3g}, and is {after[-1]:.3g} now: the policy learns its rows by "
        "heart. Use the checkpoint nearest to that step, or train with fewer epochs or a higher beta.",
    )


def _loss_rises(histories: Histories) -> Finding | None:
    held, training = histories.get(EVALUATION_LOSS, NO_POINTS), histories.get(LOSS, NO_POINTS)
    if len(held.steps) < 4 or len(training.steps) < FEWEST or REWARD_MARGIN in histories:
        return None
    lowest = int(numpy.argmin(numpy.where(numpy.isfinite(held.values), held.values, numpy.inf)))
    after = held.values[lowest + 1 :]
    falls = _grows(training._replace(values=-training.values), int(held.steps[lowest]))
    if len(after) < 2 or not (after[-2:] > (1 + DROP) * held.values[lowest]).all() or not falls:
        return None
    return Finding(
        "The loss on the holdout rises while the training loss falls",
        int(held.steps[lowest]),
        f"It was lowest there, {held.values[lowest]:.4g}, and is {after[-1]:.4g} now: the model learns its rows by heart. "
        "Train with fewer epochs, or with a lower learning rate.",
    )


def _slows(histories: Histories) -> Finding | None:
    history = histories.get(TOKENS_PER_SECOND, NO_POINTS)
    if len(history.steps) < FEWEST + BEGINNING:
        return None
    values = pandas.Series(history.values)
    usually = float(values[BEGINNING:].median())
    speed = values.rolling(BEGINNING, min_periods=BEGINNING).median()
    step = _first(history, (speed < SLOW * usually).to_numpy(), after=2 * BEGINNING)
    if step is None:
        return None
    lowest = float(speed[2 * BEGINNING :].min()) / usually
    return Finding(
        "The throughput dropped",
        step,
        f"It fell to {lowest:.0%} of its median of {usually:,.4g} tokens per second. Look for a slow node or disk, "
        "for other jobs on the same GPUs, and in the log of that time.",
    )


CHECKS: Mapping[str, Callable[[Histories], Finding | None]] = {
    "NaN or infinity": _not_finite,
    "spikes of the loss": _spike,
    "large gradients": _steep,
    "chosen answers that become less likely": _chosen_falls,
    "overfitting of pairs": _overfits,
    "overfitting": _loss_rises,
    "slow steps": _slows,
}
"""Each check under what it looks for."""

METRICS = (
    *(LOSS, EVALUATION_LOSS, GRADIENT_NORM, REWARD_CHOSEN, REWARD_MARGIN),
    *(EVALUATION_REWARD_ACCURACY, EVALUATION_PAIRS, TOKENS_PER_SECOND, TOTAL_STEPS),
)
"""The metrics that the checks read."""


def _known(histories: Histories, *names: str) -> dict[str, History]:
    return {name: histories[name] for name in names if name in histories}


def _first(history: History, wanted: NDArray[numpy.bool_], after: int = 0) -> int | None:
    """Return the first wanted step after so many points."""
    found = numpy.flatnonzero(wanted[after:])
    return int(history.steps[found[0] + after]) if len(found) else None


def _grows(history: History, step: int) -> bool:
    """Return whether the values at the end are higher than as many values just before a step, by more than noise."""
    place = int(numpy.searchsorted(history.steps, step))
    width = max(10, len(history.steps) // 10)
    before = history.values[max(0, place - width) : place]
    later = history.values[max(place, len(history.steps) - width) :]
    return min(len(before), len(later)) > 2 and _mean(later) - _mean(before) > LIKELY * (_error(before) + _error(later))


def _rows(histories: Histories) -> float:
    pairs = histories.get(EVALUATION_PAIRS, NO_POINTS).values
    return float(pairs[-1]) if len(pairs) else 0


def _mean(values: Numbers) -> float:
    return float(numpy.nanmean(values)) if numpy.isfinite(values).any() else 0.0


def _error(values: Numbers) -> float:
    """Return the standard error of the mean."""
    return float(numpy.nanstd(values) / max(1, len(values)) ** 0.5)
