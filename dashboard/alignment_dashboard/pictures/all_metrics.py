"""A panel for every metric of a run, whatever its kind: training and evaluation of the same measurement share one."""

from collections.abc import Iterable

from alignment_dashboard.pictures.panels import EXACT, HOLDOUT, TRAINING, Line, Panel

_TRAINING, _EVALUATION = "train/", "eval/"


def panels_for(metrics: Iterable[str], search: str = "") -> tuple[Panel, ...]:
    """Return the panels of all metrics whose name holds every word of the search, by name."""
    words = search.lower().split()
    lines: dict[str, list[Line]] = {}
    for metric in sorted(metrics, key=lambda name: (_title(name), not name.startswith(_TRAINING))):
        if all(word in metric.lower() for word in words):
            evaluation = metric.startswith(_EVALUATION)
            lines.setdefault(_title(metric), []).append(
                Line(metric, HOLDOUT if evaluation else TRAINING, evaluation, metric in EXACT)
            )
    return tuple(Panel(title, tuple(found), positive=True) for title, found in lines.items())


def _title(metric: str) -> str:
    return metric.removeprefix(_TRAINING).removeprefix(_EVALUATION)
