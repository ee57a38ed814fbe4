"""Questions and reference answers in the columns of MT-Bench, and what is wrong with a row that has others."""

import re
from typing import Any

import pytest
from alignment_trainer.data.tasks.mt_bench import ReferenceAnswer, TurnsOfQuestion, read_reference, read_turns
from alignment_trainer.reading.bad_row import BadRow

QUESTION = {"question_id": 81, "category": "math", "turns": ["What is 2 + 3?", "Double it."]}
REFERENCE = {"question_id": 81, "answer_id": "a", "model_id": "m", "choices": [{"index": 0, "turns": ["5", "10"]}], "tstamp": 1.5}


def test_a_question_with_its_turns() -> None:
    assert read_turns(QUESTION) == TurnsOfQuestion("81", "math", ("What is 2 + 3?", "Double it."), ())
    assert read_turns({**QUESTION, "reference": ["5", "10"]}).references == ("5", "10")
    assert read_turns({**QUESTION, "reference": ["5", ""]}).references == ("5", "")
    assert read_turns({**QUESTION, "question_id": "q7", "turns": ["One."], "reference": None}).turns == ("One.",)


def test_a_reference_answer() -> None:
    assert read_reference(REFERENCE) == ReferenceAnswer("81", ("5", "10"))


WRONG: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no turns": (read_turns, {"question_id": 1, "category": "math", "prompt": "Why?"}, "has no turns; .* has question_id, cat"),
    "no category": (read_turns, {"question_id": 1, "turns": ["Why?"]}, "has no category"),
    "one text": (read_turns, {**QUESTION, "turns": "Why?"}, "turns must be a list"),
    "no text": (read_turns, {**QUESTION, "turns": []}, "turns must be a list"),
    "an empty turn": (read_turns, {**QUESTION, "turns": ["Why?", " "]}, r"turns\[1\] is empty"),
    "a number": (read_turns, {**QUESTION, "turns": ["Why?", 3]}, r"turns\[1\] is not text"),
    "too few references": (read_turns, {**QUESTION, "reference": ["5"]}, "reference has 1 texts, and turns has 2"),
    "no id": (read_turns, {**QUESTION, "question_id": None}, "question_id must be"),
    "a question as reference": (read_reference, QUESTION, "needs question_id and choices"),
    "no choices": (read_reference, {**REFERENCE, "choices": []}, "first object has turns"),
    "choices of texts": (read_reference, {**REFERENCE, "choices": ["5"]}, "first object has turns"),
}


@pytest.mark.parametrize("situation", WRONG)
def test_what_is_wrong_is_said(situation: str) -> None:
    read, row, said = WRONG[situation]
    with pytest.raises(BadRow) as fault:
        read(row)
    assert re.search(said, str(fault.value))
