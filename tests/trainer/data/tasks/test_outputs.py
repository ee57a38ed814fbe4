"""Answers of a system in the columns of AlpacaEval."""

import re
from typing import Any

import pytest
from alignment_trainer.data.tasks.outputs import Output, read_output
from alignment_trainer.reading.bad_row import BadRow

ROW = {"instruction": "What does a pig say?", "output": "Oink.", "generator": "farm-7b", "dataset": "helpful_base"}


def test_an_answer_and_who_wrote_it() -> None:
    assert read_output(ROW) == Output("What does a pig say?", "Oink.", "farm-7b")
    assert read_output({"instruction": "Why?", "output": ""}) == Output("Why?", "", "")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a question without answer": ({"instruction": "Why?"}, "has no output; .* but this has instruction"),
    "another form": ({"prompt": "Why?", "output": "So."}, "has no instruction"),
    "no text": ({**ROW, "output": None}, "output is not text"),
    "no question": ({**ROW, "instruction": " "}, "instruction is empty"),
}


@pytest.mark.parametrize("situation", WRONG)
def test_what_is_wrong_is_said(situation: str) -> None:
    row, said = WRONG[situation]
    with pytest.raises(BadRow) as fault:
        read_output(row)
    assert re.search(said, str(fault.value))
