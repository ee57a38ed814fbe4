"""Which stages may run now: those whose needs are met, as many side by side as the job allows; pure."""

from collections.abc import Mapping
from typing import NamedTuple

from alignment_api.spec.job import AlignmentJobSpec
from alignment_api.spec.lineage import foundations
from alignment_api.spec.stages import Stage
from alignment_api.spec.status import UNDER_WAY, StageState, StageStatus

from alignment_operator.deciding.observation import UNENDED, Child

BUILDS_ON_FAILED = "BuildsOnFailedStage"
JOB_FAILED = "JobFailed"
LOST = (BUILDS_ON_FAILED, JOB_FAILED)
"""Reasons of stages that wait until the spec is edited."""

_KEEPS_PLACE: tuple[StageState, ...] = tuple(state for state in UNDER_WAY if state != "Suspended")
"""States in which a stage that has begun keeps its place, even if parallelStages is lowered."""


class Turn(NamedTuple):
    """Whether a stage may run now, and if not, why in a word and a sentence; without them, it waits for earlier stages."""

    may_run: bool
    reason: str | None = None
    message: str | None = None


class Turns:
    """Gives the stages of a job their turns, one stage after the other in the order of the list."""

    def __init__(
        self,
        spec: AlignmentJobSpec,
        records: Mapping[str, StageStatus],
        observed: list[Child],
        *,
        has_halted: bool,
        has_failed: bool,
    ) -> None:
        self._foundations = foundations(spec)
        # A halted job starts nothing: every stage that could run gets a turn, and `decide` gives it the reason of the halt.
        self._places = None if has_halted else spec.parallel_stages or 1
        self._has_failed = has_failed
        self._unended = {child.stage for child in observed if child.state in UNENDED}
        begun = {name: record.state for name, record in records.items() if record.attempts}
        self._taken = self._unended | {name for name, state in begun.items() if state in _KEEPS_PLACE}
        # Of a job that is resumed, those that had begun come first, as many as there are places.
        suspended = [name for name in self._foundations if begun.get(name) == "Suspended" and name not in self._taken]
        self._taken |= set(suspended[: max(0, (self._places or 0) - len(self._taken))])
        self._has_turned_away = False
        self._decided: dict[str, StageStatus] = {}

    def of(self, stage: Stage) -> Turn:
        """Decide whether a stage may run, after all earlier stages were decided."""
        below = [self._decided[name] for name in self._foundations[stage.name]]
        if failed := self._failed_of(below):
            return Turn(False, BUILDS_ON_FAILED, f"it builds on {failed}, which failed")
        if self._has_failed:
            # Of a version in which a stage waited for all stages before it in the list.
            return Turn(False, JOB_FAILED, "the job had failed before this stage began; an edit of the spec starts both")
        if any(record.state != "Succeeded" for record in below):
            return Turn(False)
        if self._places is None or stage.name in self._taken:
            return Turn(True)
        # A place that a later stage gives back goes to the first in the list, at the next look.
        if len(self._taken) < self._places and not self._has_turned_away:
            return Turn(True)
        self._has_turned_away = True
        return Turn(False, None, f"ready, but parallelStages ({self._places}) lets no other stage run now")

    def take(self, decided: StageStatus) -> None:
        """Note the decision about a stage: one that begins takes a place, and one that has ended gives its place back."""
        self._decided[decided.name] = decided
        if decided.state in UNDER_WAY:
            self._taken.add(decided.name)
        elif decided.name not in self._unended:
            self._taken.discard(decided.name)

    def _failed_of(self, records: list[StageStatus]) -> str:
        failed = {record.name for record in records if record.state == "Failed"}
        return " and ".join(name for name in self._decided if name in failed)
