"""Rows that answer nothing are found in every form, and are no fault."""

import pytest
from alignment_trainer.data.unanswered import answers_nothing
from alignment_trainer.reading.rows import dialogue_of, pair_of

ASK = {"role": "user", "content": "Why?"}
GOOD = {"role": "assistant", "content": "Because."}
BAD = {"role": "assistant", "content": "Go away."}
EMPTY = {"role": "assistant", "content": ""}
BLANK = {"role": "assistant", "content": " \n\t\u00a0"}


@pytest.mark.parametrize(
    ("read", "row"),
    [
        (dialogue_of, {"messages": [ASK, EMPTY]}),
        (dialogue_of, {"messages": [ASK, GOOD, ASK, BLANK]}),
        (dialogue_of, {"messages": [ASK, EMPTY, ASK, GOOD]}),
        (dialogue_of, {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": ""}]}),
        (dialogue_of, {"instruction": "a", "output": " "}),
        (dialogue_of, {"prompt": "a", "completion": ""}),
        (dialogue_of, {"prompt": "a", "completion": " \n"}),
        (dialogue_of, {"prompt": [ASK], "completion": [EMPTY]}),
        (dialogue_of, {"prompt": [ASK, BLANK, ASK], "completion": [GOOD]}),
        (pair_of, {"prompt": "a", "chosen": "", "rejected": "b"}),
        (pair_of, {"prompt": "a", "chosen": "b", "rejected": " "}),
        (pair_of, {"prompt": "a", "chosen": "b", "rejected": "b"}),
        (pair_of, {"prompt": [ASK], "chosen": [EMPTY], "rejected": [BAD]}),
        (pair_of, {"prompt": [ASK, EMPTY, ASK], "chosen": [GOOD], "rejected": [BAD]}),
        (pair_of, {"prompt": [ASK], "chosen": [GOOD], "rejected": [GOOD]}),
        (pair_of, {"prompt": "Why?", "chosen": [ASK, GOOD], "rejected": [ASK, BLANK]}),
        (pair_of, {"chosen": [ASK, GOOD], "rejected": [ASK, GOOD]}),
    ],
)
def test_a_row_that_answers_nothing(read, row):
    assert answers_nothing(read(row))


@pytest.mark.parametrize(
    ("read", "row"),
    [
        (dialogue_of, {"messages": [{"role": "system", "content": ""}, {**ASK, "content": " "}, GOOD]}),
        (dialogue_of, {"prompt": "", "completion": " ."}),
        (dialogue_of, {"question": "a", "choices": ["", "b"], "answer": 0}),
        (pair_of, {"prompt": "", "chosen": "b", "rejected": "b "}),
        (pair_of, {"chosen": [{**ASK, "content": ""}, GOOD], "rejected": [{**ASK, "content": ""}, BAD]}),
    ],
)
def test_a_row_that_answers_something(read, row):
    assert not answers_nothing(read(row))
