"""Reads rows that have a question and its answer in columns of their own, perhaps with earlier turns."""

from typing import Any

from alignment_trainer.forms.examples import Dialogue
from alignment_trainer.forms.form import Row
from alignment_trainer.forms.messages import Message, Text
from alignment_trainer.forms.texts import optional_text, text_of, whole_text
from alignment_trainer.forms.tools import tools_of
from alignment_trainer.reading.bad_row import BadRow

OPENING = ("system", "history")
"""The columns with what comes before a prompt."""


def alpaca(row: Row) -> Dialogue:
    """Read instruction, input and output, with the earlier turns that LLaMA-Factory keeps in history."""
    earlier = earlier_turns(row.get("history"))
    answer = whole_text(row["output"], "output")
    return _dialogue(_instruction(row, "input"), answer, optional_text(row, "system"), earlier)._replace(tools=tools_of(row))


def dolly(row: Row) -> Dialogue:
    """Read instruction, context and response, with the system message of files that also have one."""
    system = optional_text(row, "system_prompt")
    return _dialogue(_instruction(row, "context"), whole_text(row["response"], "response"), system)


def open_orca(row: Row) -> Dialogue:
    """Read system_prompt, question and response."""
    return _dialogue(text_of(row, "question"), whole_text(row["response"], "response"), optional_text(row, "system_prompt"))


def question_and_answer(row: Row) -> Dialogue:
    """Read question and answer, as GSM8K has them."""
    return _dialogue(text_of(row, "question"), whole_text(row["answer"], "answer"))


def self_instruct(row: Row) -> Dialogue:
    """Read instruction and instances; each instance is one more turn, so that a row is still one example."""
    instances = row["instances"]
    if not isinstance(instances, list) or not instances:
        raise BadRow("instances must be a list of objects with input and output that is not empty; correct it")
    turns = [_instance(instance, f"instances[{index}]") for index, instance in enumerate(instances)]
    instruction = text_of(row, "instruction")
    return Dialogue(None, [message for given, answer in turns for message in _turn(with_given(instruction, given), answer)])


def texts_in_turn(row: Row) -> Dialogue:
    """Read UltraChat's data: a list of texts, a question and its answer in turn."""
    texts = row["data"]
    if not isinstance(texts, list) or len(texts) < 2:
        raise BadRow("data must be a list of texts, a question and its answer in turn; a row with only a question has no answer")
    return Dialogue(None, in_turn([whole_text(text, f"data[{index}]") for index, text in enumerate(texts)]))


def in_turn(texts: list[str]) -> list[Message]:
    """Return texts as messages of the user and the assistant in turn."""
    return [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(texts)]


def is_opened(row: Row) -> bool:
    """Return whether a row has a column for what comes before its prompt: its texts are then messages of a dialogue."""
    return any(column in row for column in OPENING)


def opened(row: Row, prompt: Text) -> list[Message]:
    """Return a prompt with the system message and the earlier turns of its row; a system message of its own comes first."""
    assert not isinstance(prompt, str)
    system = optional_text(row, "system")
    own, asked = (prompt[:1], prompt[1:]) if prompt[0]["role"] == "system" else ([], prompt)
    return [*(own or ([{"role": "system", "content": system}] if system else [])), *earlier_turns(row.get("history")), *asked]


def earlier_turns(history: Any) -> list[Message]:
    """Read the column history: a list of earlier turns, each a question and its answer."""
    if not history:
        return []
    if not isinstance(history, list) or not all(isinstance(turn, list) and len(turn) == 2 for turn in history):
        raise BadRow("history must be a list of earlier turns, each a list of question and answer; correct it")
    return [
        message
        for index, (question, answer) in enumerate(history)
        for message in _turn(whole_text(question, f"history[{index}][0]"), whole_text(answer, f"history[{index}][1]"))
    ]


def with_given(question: str, given: str) -> str:
    """Return a question with what is given to it after an empty line."""
    return f"{question}\n\n{given}" if given else question


def _dialogue(question: str, answer: str, system: str = "", earlier: list[Message] | None = None) -> Dialogue:
    opening: list[Message] = [{"role": "system", "content": system}] if system else []
    return Dialogue(None, [*opening, *(earlier or []), *_turn(question, answer)])


def _turn(question: str, answer: str) -> list[Message]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def _instruction(row: Row, given: str) -> str:
    return with_given(text_of(row, "instruction"), optional_text(row, given))


def _instance(instance: Any, place: str) -> tuple[str, str]:
    if not isinstance(instance, dict):
        raise BadRow(f"{place} must be an object with input and output; correct it")
    return optional_text(instance, "input"), whole_text(instance.get("output"), f"{place}.output")
