"""A verdict is read from the last line alone; whatever else a judge writes has an exact reason."""

import pytest
from alignment_trainer.judging.verdicts import Form, Unreadable, ratings, read_verdict

ASPECT = Form("kzrq", ("A", "B"), ratings(1, 5))
OVERALL = Form("kzrq", ("A", "B"), ratings(1, 10))
PAIR = Form("kzrq", ("best",), ("A", "B", "Tie"))
GRADE = Form("kzrq", ("grade",), ratings(1, 10))

READ = [
    (ASPECT, "kzrq A=4 B=2", {"A": "4", "B": "2"}),
    (ASPECT, "A: None: Good.\nB: False: Wrong.\n\nkzrq A=4 B=2\n", {"A": "4", "B": "2"}),
    (ASPECT, "  kzrq   A=4,  B=2  \r\n", {"A": "4", "B": "2"}),
    (ASPECT, "kzrq B=2 A=4", {"A": "4", "B": "2"}),
    (ASPECT, "I rate A with 1 and B with 5. Rating: 3\nkzrq A=4 B=2", {"A": "4", "B": "2"}),
    (ASPECT, "The answer ends with 'Rating: 5' and claims qqqq A=5 B=5.\nqqqq A=5 B=5\nkzrq A=1 B=2", {"A": "1", "B": "2"}),
    (ASPECT, "kzrq answer A is better than\nkzrq answer B\nkzrq A=4 B=2", {"A": "4", "B": "2"}),
    (ASPECT, "kzrq A=N/A B=2", {"A": "N/A", "B": "2"}),
    (ASPECT, "<think>Perhaps kzrq A=1 B=1\nkzrq A=1 B=1\n</think>\n\nkzrq A=4 B=2", {"A": "4", "B": "2"}),
    (OVERALL, "kzrq A=10 B=1", {"A": "10", "B": "1"}),
    (PAIR, "B is shorter.\nkzrq best=A", {"best": "A"}),
    (PAIR, "kzrq best=Tie", {"best": "Tie"}),
    (GRADE, "It is fine.\nkzrq grade=10", {"grade": "10"}),
    (GRADE, "kzrq grade=N/A", {"grade": "N/A"}),
]

REFUSED = [
    (ASPECT, "", "EmptyReply"),
    (ASPECT, " \n\t\n", "EmptyReply"),
    (ASPECT, "<think>kzrq A=4 B=2</think>", "EmptyReply"),
    (ASPECT, "Rating: 5", "NoVerdict"),
    (ASPECT, "A=4 B=2", "NoVerdict"),
    (ASPECT, "qqqq A=4 B=2", "NoVerdict"),
    (ASPECT, "KZRQ A=4 B=2", "NoVerdict"),
    (ASPECT, "**kzrq A=4 B=2**", "NoVerdict"),
    (ASPECT, "My verdict is kzrq A=4 B=2", "NoVerdict"),
    (ASPECT, "kzrq: A=4 B=2", "NoVerdict"),
    (ASPECT, "kzrqA=4 B=2", "NoVerdict"),
    (ASPECT, "kzrq A=4 B=2\nkzrq A=4 B=2", "SeveralVerdicts"),
    (ASPECT, "kzrq A=? B=?\nkzrq A=4 B=2", "SeveralVerdicts"),
    (ASPECT, "kzrq A=4 B=2\nkzrq A=5 B=5\nThat is all.", "SeveralVerdicts"),
    (ASPECT, "kzrq A=4 B=2\nI hope this helps.", "TextAfterVerdict"),
    (ASPECT, "```\nkzrq A=4 B=2\n```", "TextAfterVerdict"),
    (ASPECT, "kzrq A=4 B=2 because B is wrong", "WrongForm"),
    (ASPECT, "kzrq A = 4 B = 2", "WrongForm"),
    (ASPECT, "kzrq A=4 B=2 C=3", "UnknownLabel"),
    (ASPECT, "kzrq a=4 b=2", "UnknownLabel"),
    (ASPECT, "kzrq А=4 B=2", "UnknownLabel"),
    (ASPECT, "kzrq 1=4 2=2", "UnknownLabel"),
    (ASPECT, "kzrq A=4 A=4 B=2", "RepeatedLabel"),
    (ASPECT, "kzrq A=4 B=2 A=5", "RepeatedLabel"),
    (ASPECT, "kzrq A=4", "MissingLabel"),
    (ASPECT, "kzrq\xa0A=4\xa0B=2", "MissingLabel"),
    (ASPECT, "kzrq A=4 B=0", "OutOfRange"),
    (ASPECT, "kzrq A=4 B=6", "OutOfRange"),
    (ASPECT, "kzrq A=4 B=10", "OutOfRange"),
    (ASPECT, "kzrq A=4 B=-1", "OutOfRange"),
    (OVERALL, "kzrq A=100 B=1", "OutOfRange"),
    (ASPECT, "kzrq A=4.5/5 B=2", "WrongValue"),
    (ASPECT, "kzrq A=4.5 B=2", "WrongValue"),
    (ASPECT, "kzrq A=4,5 B=2", "WrongValue"),
    (ASPECT, "kzrq A=4/5 B=2", "WrongValue"),
    (ASPECT, "kzrq A=4 B=2.", "WrongValue"),
    (ASPECT, "kzrq A=04 B=2", "WrongValue"),
    (ASPECT, "kzrq A=+4 B=2", "WrongValue"),
    (ASPECT, "kzrq A=٤ B=2", "WrongValue"),
    (ASPECT, "kzrq A=４ B=2", "WrongValue"),
    (ASPECT, "kzrq A=four B=2", "WrongValue"),
    (ASPECT, "kzrq A=? B=?", "WrongValue"),
    (ASPECT, "kzrq A= B=2", "WrongValue"),
    (ASPECT, "kzrq A=n/a B=2", "WrongValue"),
    (ASPECT, "kzrq A=4=4 B=2", "WrongValue"),
    (PAIR, "kzrq best=C", "WrongValue"),
    (PAIR, "kzrq best=A and B", "WrongForm"),
    (PAIR, "kzrq best=1", "WrongValue"),
    (PAIR, "kzrq A=best", "UnknownLabel"),
    (GRADE, "kzrq grade=11", "OutOfRange"),
    (GRADE, "kzrq grade=9 and 1", "WrongForm"),
]


@pytest.mark.parametrize(("form", "reply", "verdict"), READ)
def test_these_replies_have_a_verdict(form: Form, reply: str, verdict: dict[str, str]) -> None:
    assert read_verdict(reply, form) == verdict


@pytest.mark.parametrize(("form", "reply", "reason"), REFUSED)
def test_these_replies_have_none(form: Form, reply: str, reason: str) -> None:
    found = read_verdict(reply, form)
    assert isinstance(found, Unreadable)
    assert found.reason == reason


def test_a_fault_says_what_is_right_and_repeats_nothing() -> None:
    found = read_verdict("kzrq A=sneaky B=2", ASPECT)
    assert isinstance(found, Unreadable)
    assert found.fault == "each value must be one of 1, 2, 3, 4, 5, N/A"


def test_the_demanded_line_is_short() -> None:
    assert (ASPECT.line, PAIR.line, GRADE.line) == ("kzrq A=? B=?", "kzrq best=?", "kzrq grade=?")
