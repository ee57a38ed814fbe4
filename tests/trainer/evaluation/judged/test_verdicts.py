"""What judges say survives in the details of a row; a row has a score only if all of them gave one."""

import pytest
from alignment_api.results.evaluation import EvaluatedRow
from alignment_trainer.evaluation.judged.verdicts import Said, details_of, of_duel, of_grade, reason_of, said_in, score_of
from alignment_trainer.judging.grade import Grade
from alignment_trainer.judging.pairwise import Duel

DUEL = Duel(0.75, ("First", "Tie"), (1.0, 0.5), ("Better.\nkzrq best=A", "Alike."), (), 0)
BROKEN = Duel(None, ("First", None), (1.0, None), ("Better.", ""), ("Timeout",), 0)
LOST = Duel(None, (None, None), (None, None), ("", ""), ("Timeout", "NoVerdict"), 1)


def row_of(*said: Said) -> EvaluatedRow:
    return EvaluatedRow(key="k", row="r", prompt="p", scores={}, details=details_of(said))


def test_verdicts_are_read_as_they_were_written() -> None:
    said = [
        of_grade("a", Grade(7, "", "Good.", False)),
        of_grade("b/large", Grade(None, "NoVerdict", "?", False)),
        of_duel("c", DUEL),
        of_duel("d", BROKEN),
        of_duel("e", LOST),
    ]
    found = list(said_in(row_of(*said), ["a", "b/large", "c", "d", "e", "not asked"]))
    assert found == [one._replace(rationale="") for one in said]
    assert said[4].failure == "NoVerdict+Timeout"


SCORES = {
    "one judge": ([7.0], 7.0),
    "two judges": ([7.0, 4.0], 5.5),
    "the second is missing": ([7.0, None], None),
    "all are missing": ([None, None], None),
}


@pytest.mark.parametrize("situation", SCORES)
def test_the_mean_of_all_or_nothing(situation: str) -> None:
    values, wanted = SCORES[situation]
    assert score_of([Said(f"judge-{place}", value, "" if value else "Timeout") for place, value in enumerate(values)]) == wanted


def test_the_reason_is_what_is_missing_or_what_was_said() -> None:
    good, bad = of_grade("a", Grade(7, "", "Good.", False)), of_grade("b", Grade(None, "NoVerdict", "Ten!", False))
    assert reason_of([good, bad]) == "b: NoVerdict"
    assert reason_of([good, good._replace(judge="c", rationale="Fine.")]) == "a: Good.\n\nc: Fine."


@pytest.mark.parametrize(("duel", "wanted"), [(DUEL, (1.0, 0.5)), (BROKEN, (1.0,)), (LOST, ())])
def test_what_the_first_place_won(duel: Duel, wanted: tuple[float, ...]) -> None:
    assert of_duel("c", duel).first_position == wanted
    assert of_duel("c", duel).first_position == tuple(place for place in duel.first_position if place is not None)
