"""How a judge rated the models of a stage and its rounds, in lines for people; pure."""

import math
from collections.abc import Iterable, Mapping

from alignment_api import metrics

OVERALL = "Overall"
"""The one rating that goes from 1 to 10 and is given to the whole answer; the aspects go from 1 to 5."""
ROUNDS = (
    *(metrics.ROUND, metrics.ROWS_WRITTEN),
    *(metrics.ROUND_WIN_RATE, metrics.ROUND_WIN_RATE_ERROR, metrics.ROUND_GAIN, metrics.ROUND_GAIN_ERROR),
)
"""The metrics that the lines of rounds are made of."""
_SCORES = f"{metrics.JUDGED_SCORES}/"


def score_lines(latest: Mapping[str, float]) -> list[str]:
    """Return a line for each judged model, with its mean of the aspects, each aspect, and the overall rating."""
    models: dict[str, dict[str, float]] = {}
    for name, value in latest.items():
        if name.startswith(_SCORES) and math.isfinite(value):
            model, _, aspect = name.removeprefix(_SCORES).rpartition("/")
            models.setdefault(model, {})[aspect] = value
    return [f"{model}: {_scores(ratings)}" for model, ratings in sorted(models.items())]


def round_lines(points: Iterable[Mapping[str, float]]) -> list[str]:
    """Return a line for each round, from what was measured, in the order of time."""
    rounds: dict[int, dict[str, float]] = {}
    number = None
    for point in points:
        measured = {name: value for name, value in point.items() if math.isfinite(value)}
        number = measured.get(metrics.ROUND, number)
        if number is not None:
            # What is measured of a round as a whole follows its number.
            rounds.setdefault(int(number), {}).update(measured)
    return [_round(number, values) for number, values in rounds.items()]


def _scores(ratings: Mapping[str, float]) -> str:
    aspects = {aspect: value for aspect, value in ratings.items() if aspect != OVERALL}
    parts = ", ".join(f"{aspect} {value:.2f}" for aspect, value in aspects.items())
    if len(aspects) > 1:
        parts = f"{sum(aspects.values()) / len(aspects):.2f} ({parts})"
    overall = f"{OVERALL} {ratings[OVERALL]:.2f}" if OVERALL in ratings else ""
    return ", ".join(part for part in (parts, overall) if part)


def _round(number: int, values: Mapping[str, float]) -> str:
    parts = [f"{values[metrics.ROWS_WRITTEN]:,.0f} pairs"] if metrics.ROWS_WRITTEN in values else []
    for name, value, error in (
        ("win rate", metrics.ROUND_WIN_RATE, metrics.ROUND_WIN_RATE_ERROR),
        ("gain", metrics.ROUND_GAIN, metrics.ROUND_GAIN_ERROR),
    ):
        if value in values:
            spread = f" ± {values[error]:.3f}" if error in values else ""
            parts.append(f"{name} {values[value]:.3f}{spread}")
    left_out = reasons_in_words(values, metrics.left_out_of(""))
    return f"round {number}: {', '.join(parts)}" + (f"; left out: {left_out}" if left_out else "")


def reasons_in_words(values: Mapping[str, float], prefix: str) -> str:
    """Return the counts below a prefix with their reasons, the most frequent first."""
    counts = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix) and value}
    return ", ".join(f"{count:,.0f} {reason}" for reason, count in sorted(counts.items(), key=lambda item: -item[1]))
