"""Reads from a stage's journal how its models were judged, and why rows of it were left out, in lines for people."""

import math
from pathlib import Path

from alignment_api import metrics
from alignment_api.journal import read_points
from alignment_api.names import METRICS_FILE
from alignment_api.progress.judged import ROUNDS, reasons_in_words, round_lines, score_lines

_LEFT_OUT, _UNANSWERED = metrics.left_out_of(""), metrics.unanswered_of("")


def judged_lines(stage_folder: Path) -> list[str]:
    """Return a line for each judged model and each round, and the reasons of what was left out or got no answer."""
    latest: dict[str, float] = {}
    points: list[dict[str, float]] = []
    for point in read_points(stage_folder / METRICS_FILE):
        latest.update({name: value for name, value in point.newest.items() if math.isfinite(value)})
        if of_rounds := {name: value for name, value in point.newest.items() if name in ROUNDS or name.startswith(_LEFT_OUT)}:
            points.append(of_rounds)
    rounds = round_lines(points)
    # Each round leaves out rows of its own.
    left_out = "" if rounds else reasons_in_words(latest, _LEFT_OUT)
    unanswered = reasons_in_words(latest, _UNANSWERED)
    return [
        *score_lines(latest),
        *rounds,
        *([f"left out: {left_out}"] if left_out else []),
        *([f"unanswered: {unanswered}"] if unanswered else []),
    ]
