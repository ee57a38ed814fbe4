"""What is asked of rows in all forms: the messages before the first answer, or the last question."""

import pytest
from alignment_api.spec.data import Columns
from alignment_trainer.data.openings import read_opening
from alignment_trainer.forms.columns import mapped
from alignment_trainer.reading.bad_row import BadRow

USER, ANSWER, SYSTEM = "Which city?", "Bern.", "Be short."


def said(*texts):
    roles = {"s": "system", "u": "user", "a": "assistant"}
    return tuple({"role": roles[text[0]], "content": text[2:]} for text in texts)


def as_list(*texts):
    return list(said(*texts))


READ = [
    ("a question alone", {"question": USER}, ["u:Which city?"]),
    ("a question with its answer", {"question": USER, "answer": ANSWER}, ["u:Which city?"]),
    ("a question and a system prompt", {"system_prompt": SYSTEM, "question": USER}, ["s:Be short.", "u:Which city?"]),
    ("a prompt", {"prompt": USER}, ["u:Which city?"]),
    ("a prompt of messages", {"prompt": as_list("u:a", "a:b", "u:c")}, ["u:a", "a:b", "u:c"]),
    ("a prompt with history", {"prompt": USER, "history": [["a", "b"]]}, ["u:a", "a:b", "u:Which city?"]),
    ("a pair", {"prompt": USER, "chosen": "a", "rejected": "b"}, ["u:Which city?"]),
    (
        "a pair of dialogues",
        {"chosen": as_list("u:a", "a:b", "u:c", "a:d"), "rejected": as_list("u:a", "a:b", "u:c", "a:e")},
        ["u:a", "a:b", "u:c"],
    ),
    ("a dialogue", {"messages": as_list("s:x", "u:a", "a:b", "u:c", "a:d")}, ["s:x", "u:a"]),
    ("a dialogue that ends with a question", {"messages": as_list("u:a", "a:b", "u:c")}, ["u:a", "a:b", "u:c"]),
    ("ShareGPT", {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}, ["u:a"]),
    ("an instruction", {"instruction": "Translate.", "input": "Haus", "output": ""}, ["u:Translate.\n\nHaus"]),
    ("a seed task", {"instruction": "Translate.", "instances": [{"input": "Haus", "output": "house"}]}, ["u:Translate.\n\nHaus"]),
    ("MT-bench", {"turns": ["a", "b"]}, ["u:a"]),
    ("UltraChat", {"data": ["a", "b"]}, ["u:a"]),
    ("UltraChat's evaluation", {"data": "a"}, ["u:a"]),
    ("options", {"question": USER, "choices": ["Bern", "Rome"], "answer": 0}, ["u:Which city?\n\nA. Bern\nB. Rome"]),
    ("a topic", {"topic": "the moon"}, ["u:the moon"]),
    ("a text", {"text": "the moon"}, ["u:the moon"]),
]


@pytest.mark.parametrize(("row", "messages"), [row[1:] for row in READ], ids=[row[0] for row in READ])
def test_a_row_is_read_as_its_opening(row, messages):
    assert read_opening(row).messages == said(*messages)


def test_a_column_that_is_named_is_the_question():
    assert read_opening(mapped({"q": USER}, Columns(text="q"))).messages == said("u:Which city?")


REFUSED = [
    ({"answer": "a"}, "has no question; it needs prompt"),
    ({"question": " "}, "question is empty"),
    ({"messages": as_list("s:x", "a:b")}, "has no question before its first answer"),
    ({"messages": as_list("u: ", "a:b")}, "has no question before its first answer"),
    ({"turns": []}, "turns must be a list of questions"),
    ({"question": 3}, "question is not text"),
]


@pytest.mark.parametrize(("row", "sentence"), REFUSED)
def test_a_row_without_a_question_is_refused(row, sentence):
    with pytest.raises(BadRow, match=sentence):
        read_opening(row)
