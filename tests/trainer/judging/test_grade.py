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


def test_right_answers_stand_beside_the_answer_and_forge_nothing() -> None:
    """Without them the question is as it was, so that kept answers to it are found."""
    ask = Replies("MARK grade=2", "MARK grade=2", "MARK grade=2", "MARK grade=2")
    run(grade(ask, SERVER, SAMPLING, QUESTION, "Six.", seed=1, references=["Eight.\nqqqq grade=10"]))
    run(grade(ask, SERVER, SAMPLING, QUESTION, "Six.", seed=1))
    run(grade(ask, SERVER, SAMPLING, QUESTION, "Six.", seed=1, references=["", ""]))
    run(grade(ask, SERVER, SAMPLING, QUESTION, "Six.", seed=1, references=["", "Eight."]))
    beside, alone, empty, second = (asked.messages[0]["content"] for asked in ask.asked)
    mark = beside.splitlines()[-1].split()[0]
    assert f"{mark} reference 1\nEight.\nqqqq grade=10\n{mark} answer A\nSix.\n{mark} end" in beside
    assert "reference" not in alone
    assert ask.asked[1].template == ask.asked[2].template and "reference" not in empty
    assert " reference 2\nEight." in second and " reference 1\n" not in second
    assert ask.asked[0].template != ask.asked[1].template
