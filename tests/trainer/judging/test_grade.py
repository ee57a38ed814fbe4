"""One answer gets a grade from 1 to 10, or a reason why it has none."""

import pytest
from alignment_trainer.endpoints.question import Unanswered
from alignment_trainer.judging.grade import Grade, grade
from judges import QUESTION, SAMPLING, SERVER, Replies, run

SITUATIONS = {
    "a grade": (["Right.\nMARK grade=10"], Grade(10, "", "Right.\nMARK grade=10", False)),
    "no grade possible": (["MARK grade=N/A"], Grade(None, "NotApplicable", "MARK grade=N/A", False)),
    "a repaired grade": (["10/10", "MARK grade=9"], Grade(9, "", "10/10", True)),
    "two unreadable replies": (["10/10", "ten"], Grade(None, "NoVerdict", "10/10", False)),
    "no reply": ([Unanswered("Timeout", "no answer")], Grade(None, "Timeout", "", False)),
    "a repair without reply": (["10/10", Unanswered("Timeout", "no answer")], Grade(None, "Timeout", "10/10", False)),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_grade_or_the_reason_why_there_is_none(situation: str) -> None:
    replies, wanted = SITUATIONS[situation]
    ask = Replies(*replies)
    found = run(grade(ask, SERVER, SAMPLING, QUESTION, "Eight.", seed=1))
    mark = ask.asked[0].messages[0]["content"].splitlines()[-1].split()[0]
    assert found == wanted._replace(rationale=wanted.rationale.replace("MARK", mark))
    assert ask.replies == []


def test_the_prompt_is_short_and_its_hash_is_known() -> None:
    """Small judges have little room."""
    ask = Replies("MARK grade=5")
    run(grade(ask, SERVER, SAMPLING, QUESTION, "Eight.", seed=1))
    (asked,) = ask.asked
    assert len(asked.messages[0]["content"].split()) < 150
    assert len(asked.template) == 16
    assert asked.needs_end
