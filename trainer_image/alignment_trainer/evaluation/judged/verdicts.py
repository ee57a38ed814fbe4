"""What several judges say about one answer: as a score and the details of its row, and read from these again; pure.

A row has a score only if all judges of the stage gave theirs: some judges are milder than others, so the mean of fewer judges
would be another measure.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, cast

from alignment_api.results.evaluation import Details, EvaluatedRow

from alignment_trainer.judging.grade import Grade
from alignment_trainer.judging.pairwise import Duel, Winner

_VALUE, _STRAIGHT, _SWAPPED, _FAILURE = "judge", "straight", "swapped", "failure"


class Said(NamedTuple):
    """The verdict of one judge."""

    judge: str
    value: float | None
    """A grade, or the outcome of a comparison: 1 if the model's answer won in both orders, 0.5 if neither did, 0 else."""
    failure: str
    """One CamelCase word if there is no value; several are joined by +."""
    straight: Winner | None = None
    swapped: Winner | None = None
    """The winner of a comparison where the model's answer stood first, and where it stood second."""
    rationale: str = ""

    @property
    def first_position(self) -> tuple[float, ...]:
        """Return what the answer that stood first won, in each of the orders with a verdict."""
        points = {"First": 1.0, "Tie": 0.5, "Second": 0.0}
        straight = [points[self.straight]] if self.straight else []
        return (*straight, *([1 - points[self.swapped]] if self.swapped else []))


def of_grade(judge: str, grade: Grade) -> Said:
    """Return a grade as a judge's verdict."""
    return Said(judge, grade.grade, grade.missing, rationale=grade.rationale)


def of_duel(judge: str, duel: Duel) -> Said:
    """Return a comparison as a judge's verdict."""
    straight, swapped = duel.verdicts
    rationale = "\n".join(filter(None, duel.rationales))
    return Said(judge, duel.outcome, "+".join(sorted(set(duel.failures))), straight, swapped, rationale)


def score_of(said: Sequence[Said]) -> float | None:
    """Return the mean over all judges; None if one of them is missing."""
    values = [one.value for one in said if one.value is not None]
    return sum(values) / len(values) if len(values) == len(said) else None


def details_of(said: Iterable[Said]) -> Details:
    """Return the verdicts as details of a row."""
    found: Details = {}
    for one in said:
        parts = {_VALUE: one.value, _STRAIGHT: one.straight, _SWAPPED: one.swapped, _FAILURE: one.failure}
        found |= {f"{part}/{one.judge}": value for part, value in parts.items() if value not in (None, "")}
    return found


def reason_of(said: Sequence[Said]) -> str:
    """Return why a row has no score, or else what the judges said."""
    missing = [f"{one.judge}: {one.failure}" for one in said if one.failure]
    return ", ".join(missing) or "\n\n".join(f"{one.judge}: {one.rationale}" for one in said if one.rationale)


def said_in(row: EvaluatedRow, judges: Iterable[str]) -> Iterator[Said]:
    """Read the verdicts from the details of a row; judges that were not asked about it said nothing."""
    for judge in judges:
        value, failure = row.details.get(f"{_VALUE}/{judge}"), row.details.get(f"{_FAILURE}/{judge}")
        if value is not None or failure is not None:
            straight, swapped = (cast(Winner | None, row.details.get(f"{order}/{judge}")) for order in (_STRAIGHT, _SWAPPED))
            number = float(value) if isinstance(value, int | float) else None
            yield Said(judge, number, str(failure or ""), straight, swapped)
