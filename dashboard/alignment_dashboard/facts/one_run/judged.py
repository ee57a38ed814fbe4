"""How a judge rated the models of a run's stages and their rounds, in lines."""

from collections.abc import Iterator, Mapping

from alignment_api.progress.judged import ROUNDS, round_lines, score_lines

from alignment_dashboard.store.history import Histories


def judged_lines(latest: Mapping[str, float], histories: Histories) -> list[str]:
    """Return a line for each judged model and for each round of a stage."""
    return [*score_lines(latest), *round_lines(_points(histories))]


def _points(histories: Histories) -> Iterator[dict[str, float]]:
    """Return together what was logged at one moment, in the order of time."""
    moments: dict[int, dict[str, float]] = {}
    for name in ROUNDS:
        if name in histories:
            for time, value in zip(histories[name].times.tolist(), histories[name].values.tolist(), strict=True):
                moments.setdefault(time, {})[name] = value
    return (moments[time] for time in sorted(moments))
