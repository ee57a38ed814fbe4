"""The curves of one run: what is new is read and joined to what is known."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from alignment_dashboard.store.history import Histories, History, joined
from alignment_dashboard.store.store import Store
from alignment_dashboard.store.stored_run import Mark, StoredRun

WHOLE_SECONDS, WHOLE_SECONDS_PER_POINT = 20.0, 0.01
"""How often a history that can still grow is read whole: a resumed attempt may log steps again that are known already."""


class Curve(NamedTuple):
    """A history, the mark that its metric had when it was read, and when all of it was read last, in seconds."""

    history: History
    mark: Mark | None
    whole_at: float


class Curves(NamedTuple):
    """The curves of one run, by metric."""

    run: StoredRun | None
    curves: Mapping[str, Curve]

    @property
    def histories(self) -> Histories:
        """Return the histories alone."""
        return {metric: curve.history for metric, curve in self.curves.items()}

    @property
    def points(self) -> int:
        """Return how many points are kept."""
        return sum(len(curve.history.steps) for curve in self.curves.values())


NO_CURVES = Curves(None, {})


def read_curves(store: Store, run: StoredRun | None, metrics: Iterable[str], known: Curves, now: float) -> Curves:
    """Return the named metrics of a run, as far as it has them, and read only what is not known at this time in seconds."""
    if run is None:
        return NO_CURVES
    wanted = [metric for metric in metrics if metric in run.latest]
    # When an attempt ends or begins, everything is read: the steps since a checkpoint may have been logged again.
    is_same = known.run is not None and (known.run.run_id, known.run.status) == (run.run_id, run.status)
    earlier = known.curves if is_same else {}
    kept = {
        name: earlier[name]
        for name in wanted
        if name in earlier and _is_current(earlier[name], run.marks.get(name), run.is_running, now)
    }
    since = {name: _last_step(earlier.get(name), now) for name in wanted if name not in kept}
    read = store.histories(run.run_id, since) if since else {}
    again = [name for name, step in since.items() if step is not None and not _continues(earlier[name].history, read[name])]
    whole = store.histories(run.run_id, dict.fromkeys(again)) if again else {}
    new = {}
    for name, step in since.items():
        is_whole = name in whole or step is None
        history = whole.get(name, read[name]) if is_whole else joined(earlier[name].history, read[name])
        new[name] = Curve(history, run.marks.get(name), now if is_whole else earlier[name].whole_at)
    return Curves(run, {name: kept.get(name) or new[name] for name in wanted})


def _is_current(curve: Curve, mark: Mark | None, grows: bool, now: float) -> bool:
    return mark is not None and curve.mark == mark and not (grows and _is_due(curve, now))


def _is_due(curve: Curve, now: float) -> bool:
    return now - curve.whole_at >= max(WHOLE_SECONDS, WHOLE_SECONDS_PER_POINT * len(curve.history.steps))


def _last_step(curve: Curve | None, now: float) -> int | None:
    if curve is None or not len(curve.history.steps) or _is_due(curve, now):
        return None
    return int(curve.history.steps[-1])


def _continues(earlier: History, later: History) -> bool:
    """Return whether the last known point is the first of the new ones: otherwise the last steps were logged again."""
    return len(later.steps) > 0 and later.steps[0] == earlier.steps[-1] and later.times[0] == earlier.times[-1]
