"""Two answers are compared in both orders; only a judge that means the same answer twice decides."""

import pytest
from alignment_trainer.endpoints.question import Unanswered
from alignment_trainer.judging.pairwise import compare
from judges import QUESTION, SAMPLING, SERVER, Judge, Replies, run

SITUATIONS = {
    # what the judge says in each order: outcome, verdicts, what the first position got
    "the first wins twice": (("A", "B"), 1.0, ("First", "First"), (1.0, 0.0)),
    "the second wins twice": (("B", "A"), 0.0, ("Second", "Second"), (0.0, 1.0)),
    "the first position wins twice": (("A", "A"), 0.5, ("First", "Second"), (1.0, 1.0)),
    "the second position wins twice": (("B", "B"), 0.5, ("Second", "First"), (0.0, 0.0)),
    "two ties": (("Tie", "Tie"), 0.5, ("Tie", "Tie"), (0.5, 0.5)),
    "a win and a tie": (("A", "Tie"), 0.75, ("First", "Tie"), (1.0, 0.5)),
    "a loss and a tie": (("Tie", "A"), 0.25, ("Tie", "Second"), (0.5, 1.0)),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_both_orders_give_one_outcome(situation: str) -> None:
    said, outcome, verdicts, first_position = SITUATIONS[situation]
    ask = Replies(*(f"Because.\nMARK best={value}" for value in said))
    duel = run(compare(ask, SERVER, SAMPLING, QUESTION, "Eight.", "Six.", seed=3))
    assert (duel.outcome, duel.verdicts, duel.first_position) == (outcome, verdicts, first_position)
    assert duel.failures == ()


def test_the_better_answer_wins_wherever_it_stands() -> None:
    judge = Judge(lambda shown: ["AB"[shown.index("Eight.")]])
    assert run(compare(judge, SERVER, SAMPLING, QUESTION, "Eight.", "Six.", 3)).outcome == 1
    assert run(compare(judge, SERVER, SAMPLING, QUESTION, "Six.", "Eight.", 3)).outcome == 0


def test_without_one_of_the_verdicts_there_is_no_outcome() -> None:
    ask = Replies("MARK best=A", Unanswered("Timeout", "the judge did not answer"))
    duel = run(compare(ask, SERVER, SAMPLING, QUESTION, "Eight.", "Six.", 3))
    assert (duel.outcome, duel.verdicts, duel.failures) == (None, ("First", None), ("Timeout",))


def test_equal_answers_are_two_questions() -> None:
    judge = Judge(lambda shown: ["Tie"])
    run(compare(judge, SERVER, SAMPLING, QUESTION, "Eight.", "Eight.", 3))
    assert judge.asked[0] != judge.asked[1]
