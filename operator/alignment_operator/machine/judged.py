"""Reads from a stage's journal how its models were judged, and why rows of it were left out, in lines for people."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from alignment_api import metrics
from alignment_api.journal import read_points
from alignment_api.names import METRICS_FILE

_LEFT_OUT, _UNANSWERED = metrics.left_out_of(""), metrics.unanswered_of("")
_SCORES = f"{metrics.JUDGED_SCORES}/"


def judged_lines(stage_folder: Path) -> list[str]:
    """Return a line for each judged model and each round, and the reasons of what was left out or got no answer."""
    latest: dict[str, float] = {}
    rounds: dict[int, dict[str, float]] = {}
    for point in read_points(stage_folder / METRICS_FILE):
        measured = {name: value for name, value in point.newest.items() if math.isfinite(value)}
        latest.update(measured)
        if metrics.ROUND in latest:
            # What is measured of a round as a whole follows its number.
            rounds.setdefault(int(latest[metrics.ROUND]), {}).update(measured)
    # Each round leaves out rows of its own.
    left_out = "" if rounds else _reasons(latest, _LEFT_OUT)
    unanswered = _reasons(latest, _UNANSWERED)
    return [
        *_scores(latest),
        *(_round(number, values) for number, values in rounds.items()),
        *([f"left out: {left_out}"] if left_out else []),
        *([f"unanswered: {unanswered}"] if unanswered else []),
    ]


def _scores(latest: Mapping[str, float]) -> Iterator[str]:
    models: dict[str, dict[str, float]] = {}
    for name, value in latest.items():
        if name.startswith(_SCORES):
            model, _, aspect = name.removeprefix(_SCORES).rpartition("/")
            models.setdefault(model, {})[aspect] = value
    for model, aspects in sorted(models.items()):
        mean = sum(aspects.values()) / len(aspects)
        parts = ", ".join(f"{aspect} {value:.2f}" for aspect, value in aspects.items())
        yield f"{model}: {parts}" if len(aspects) == 1 else f"{model}: {mean:.2f} ({parts})"


def _round(number: int, values: Mapping[str, float]) -> str:
    parts = [f"{values[metrics.ROWS_WRITTEN]:,.0f} pairs"] if metrics.ROWS_WRITTEN in values else []
    for name, value, error in (
        ("win rate", metrics.ROUND_WIN_RATE, metrics.ROUND_WIN_RATE_ERROR),
        ("gain", metrics.ROUND_GAIN, metrics.ROUND_GAIN_ERROR),
    ):
        if value in values:
            spread = f" ± {values[error]:.3f}" if error in values else ""
            parts.append(f"{name} {values[value]:.3f}{spread}")
    left_out = _reasons(values, _LEFT_OUT)
    return f"round {number}: {', '.join(parts)}" + (f"; left out: {left_out}" if left_out else "")


def _reasons(values: Mapping[str, float], prefix: str) -> str:
    """Return the counts below a prefix with their reasons, the most frequent first."""
    counts = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix) and value}
    return ", ".join(f"{count:,.0f} {reason}" for reason, count in sorted(counts.items(), key=lambda item: -item[1]))
