"""Reads rows whose columns say which answer is chosen and which is rejected."""

from collections.abc import Callable
from typing import Any

from alignment_trainer.forms.examples import Pair
from alignment_trainer.forms.form import Form, Row
from alignment_trainer.forms.left_out import LeftOut
from alignment_trainer.forms.messages import Message, Text, conversation_of, messages_of, unlearned_in
from alignment_trainer.forms.pairs.shared_start import answered, pair_from, said, split_dialogues
from alignment_trainer.forms.pairs.transcripts import is_transcript, turns_of
from alignment_trainer.forms.questions import OPENING, is_opened, opened, with_given
from alignment_trainer.forms.texts import optional_text, text_of, whole_text
from alignment_trainer.forms.tools import TOOL_COLUMNS, tools_of
from alignment_trainer.reading.bad_row import BadRow

_TWO = ("chosen", "rejected")
BESIDE = (*OPENING, *TOOL_COLUMNS)
"""The columns that all forms with a chosen and a rejected answer read beside their own."""


def _with_tools(read: Callable[[Row], Pair]) -> Callable[[Row], Pair]:
    """Return a reader that also reads the row's tools, and refuses weights, which no loss of pairs uses."""

    def read_all(row: Row) -> Pair:
        pair = read(row)
        for column, answer in zip(_TWO, pair.answers, strict=True):
            value = [row[column]] if isinstance(row[column], dict) else row[column]
            if isinstance(value, list) and isinstance(answer, list) and unlearned_in(value, answer):
                raise BadRow(f"{column} has a message with weight 0, but pairs are learned whole; remove the weight, or the row")
        tools = tools_of(row)
        if tools and isinstance(pair.prompt, str):
            raise BadRow("has tools, but prompt, chosen and rejected are texts; tools need lists of messages")
        return pair._replace(tools=tools)

    return read_all


def _prompted(row: Row) -> Pair:
    """Read TRL's columns; a row with one of the columns system and history is a dialogue, and its texts are messages."""
    prompt, chosen, rejected = (_texts_or_messages(row[column], column) for column in ("prompt", *_TWO))
    if not is_opened(row):
        return pair_from(prompt, chosen, rejected)
    is_text = isinstance(prompt, str) and isinstance(chosen, str)
    pair = pair_from(said(str(prompt)) if is_text else prompt, chosen, rejected)
    return pair._replace(prompt=opened(row, pair.prompt))


def _after_messages(row: Row) -> Pair:
    """Read LLaMA-Factory's and OpenAI's columns: the messages before the answer, and two answers."""
    column = "conversations" if row.get("conversations") is not None else "messages"
    return pair_from(opened(row, _messages(row[column], column)), *_answers(row, *_TWO))


def _instruction(row: Row) -> Pair:
    """Read LLaMA-Factory's Alpaca columns."""
    asked = {"role": "user", "content": with_given(text_of(row, "instruction"), optional_text(row, "input"))}
    return pair_from(opened(row, [asked]), *_answers(row, *_TWO))


def _question(row: Row) -> Pair:
    return _asked(row, "question", *_TWO)


def _input(row: Row) -> Pair:
    return _asked(row, "input", *_TWO)


def _responses(row: Row) -> Pair:
    return _asked(row, "instruction", "chosen_response", "rejected_response")


def _asked(row: Row, column: str, chosen: str, rejected: str) -> Pair:
    asked = said(text_of(row, column))
    return pair_from(opened(row, asked), *_answers(row, chosen, rejected))


def _whole(row: Row) -> Pair:
    """Read whole dialogues or texts, which are split where they begin to differ."""
    pair = pair_from(None, *(_texts_or_messages(row[column], column) for column in _TWO))
    return pair if isinstance(pair.prompt, str) else pair._replace(prompt=opened(row, pair.prompt))


def _transcripts(row: Row) -> Pair:
    turns = [turns_of(whole_text(row[column], column)) for column in _TWO]
    if turns[0][0] != turns[1][0]:
        raise LeftOut("unpaired")
    return split_dialogues(*turns)


def _answers(row: Row, *columns: str) -> list[list[Message]]:
    """Read answers to messages: texts, one message each, or lists of messages."""
    values = [_texts_or_messages(row[column], column) for column in columns]
    return [answered(value) if isinstance(value, str) else value for value in values]


def _texts_or_messages(value: Any, column: str) -> Text:
    return whole_text(value, column) if isinstance(value, str) else _messages(value, column)


def _messages(value: Any, column: str) -> list[Message]:
    """Read one message or a list of messages, with role and content or with from and value."""
    values = [value] if isinstance(value, dict) else value
    is_conversation = isinstance(values, list) and values and isinstance(values[0], dict) and "from" in values[0]
    return conversation_of(values, column) if is_conversation else messages_of(values, column)


def _are_transcripts(row: Row) -> bool:
    return is_transcript(row["chosen"]) or is_transcript(row["rejected"])


def _are_single_messages(row: Row) -> bool:
    return isinstance(row["chosen"], dict | str)


CHOSEN_FORMS = (
    Form("ShareGPT with two answers", ("conversations", *_TWO), _with_tools(_after_messages), BESIDE),
    Form("messages with two answers", ("messages", *_TWO), _with_tools(_after_messages), BESIDE, _are_single_messages),
    Form("prompt and two answers", ("prompt", *_TWO), _with_tools(_prompted), BESIDE),
    Form("Alpaca with two answers", ("instruction", *_TWO), _with_tools(_instruction), ("input", *BESIDE)),
    Form("Orca pairs", ("question", *_TWO), _with_tools(_question), BESIDE),
    Form("distilabel Orca pairs", ("input", *_TWO), _with_tools(_input), BESIDE),
    Form("two responses", ("instruction", "chosen_response", "rejected_response"), _responses, OPENING),
    Form("HH-RLHF transcripts", _TWO, _transcripts, fits=_are_transcripts),
    Form("whole dialogues or texts", _TWO, _with_tools(_whole), BESIDE),
)
