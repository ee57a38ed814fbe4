"""Reads a row, in whatever form, as the messages that open a dialogue: what models are asked."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from alignment_trainer.endpoints.question import Message
from alignment_trainer.forms import messages as texts
from alignment_trainer.forms.dialogues import DIALOGUE_FORMS
from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.forms.form import Form, Row, form_of, shown_columns
from alignment_trainer.forms.media import refuse_media
from alignment_trainer.forms.pairs.table import PAIR_FORMS
from alignment_trainer.forms.questions import OPENING, opened, with_given
from alignment_trainer.forms.texts import optional_text, text_of
from alignment_trainer.reading.bad_row import BadRow

Said = list[texts.Message]


class Opening(NamedTuple):
    """What a row asks, and the name of the form in which it was read."""

    messages: tuple[Message, ...]
    form: str


ReadOpening = Callable[[Row], Opening]


def read_opening(row: Row) -> Opening:
    """Read the messages of a row up to its first answer, or all of them if the last one is a question."""
    refuse_media(row)
    form = form_of(row, _QUESTION_FORMS)
    if form:
        return Opening(_asked(form.read(row)), form.name)
    dialogue, pair = form_of(row, DIALOGUE_FORMS), form_of(row, PAIR_FORMS)
    if dialogue:
        return Opening(_asked(_said(dialogue.read(row))), dialogue.name)
    if pair:
        return Opening(_asked(_said(pair.read(row))), pair.name)
    raise BadRow(
        f"has no question; it needs prompt, messages, conversations, instruction, question, turns, topic or text, or the columns "
        f"of a form in docs/data.md, but has {shown_columns(row)}"
    )


def _said(example: Dialogue | Pair) -> Said:
    """Return the messages of a row that was read with its answers."""
    prompt = example.prompt or []
    before = texts.as_messages(prompt, "user", "prompt") if prompt else []
    if isinstance(example, Pair):
        return before
    return [*before, *texts.as_messages(example.answer, "assistant" if before else "user", "text")]


def _asked(said: Said) -> tuple[Message, ...]:
    if said and said[-1]["role"] != "user":
        said = said[: next((index for index, message in enumerate(said) if message["role"] == "assistant"), len(said))]
    if not said or said[-1]["role"] != "user" or not said[-1]["content"].strip():
        raise BadRow("has no question before its first answer; add one or remove the row")
    if any(message["role"] == "tool" or message.get("tool_calls") for message in said):
        raise BadRow("calls tools before its question, and teachers are asked without tools; remove the row")
    return tuple(cast(Message, {"role": message["role"], "content": message["content"]}) for message in said)


def _messages(row: Row) -> Said:
    return _with_system(row, texts.messages_of(row["messages"], "messages"))


def _conversation(row: Row) -> Said:
    return _with_system(row, texts.conversation_of(row["conversations"], "conversations"))


def _with_system(row: Row, said: Said) -> Said:
    system = optional_text(row, "system")
    return [{"role": "system", "content": system}, *said] if system and said[0]["role"] != "system" else said


def _prompt(row: Row) -> Said:
    value = row["prompt"]
    return opened(row, texts.messages_of(value, "prompt") if isinstance(value, list) else _user(text_of(row, "prompt")))


def _instruction(row: Row) -> Said:
    given = optional_text(row, "input") or optional_text(row, "context")
    question = _user(with_given(text_of(row, "instruction"), given))
    return opened(_with_system_prompt(row), question)


def _question(row: Row) -> Said:
    return opened(_with_system_prompt(row), _user(text_of(row, "question")))


def _with_system_prompt(row: Row) -> Row:
    """Return a row with the column system, which some files call system_prompt."""
    return {**row, "system": optional_text(row, "system") or optional_text(row, "system_prompt")}


def _turns(row: Row) -> Said:
    turns = row["turns"]
    if not isinstance(turns, list) or not turns:
        raise BadRow("turns must be a list of questions that is not empty; correct it")
    return _user(text_of({"turns[0]": turns[0]}, "turns[0]"))


def _data(row: Row) -> Said:
    first = row["data"][0] if isinstance(row["data"], list) and row["data"] else row["data"]
    return _user(text_of({"data": first}, "data"))


def _column(name: str) -> Form[Said]:
    return Form(name, (name,), lambda row: _user(text_of(row, name)))


def _user(text: str) -> Said:
    return [{"role": "user", "content": text}]


def _is_asked(row: Mapping[str, Any]) -> bool:
    """Return whether the prompt is a question: it is no tree, and not empty, as that of a plain text is."""
    return isinstance(row["prompt"], str | list) and bool(row["prompt"])


_QUESTION_FORMS: tuple[Form[Said], ...] = (
    Form("messages", ("messages",), _messages, ("system",)),
    Form("ShareGPT", ("conversations",), _conversation, ("system",)),
    Form("prompt", ("prompt",), _prompt, OPENING, fits=_is_asked),
    Form("instruction", ("instruction",), _instruction, fits=lambda row: not row.get("instances")),
    Form("question", ("question",), _question, fits=lambda row: not row.get("choices")),
    Form("turns", ("turns",), _turns),
    Form("UltraChat", ("data",), _data),
    _column("topic"),
    _column("text"),
)
"""The forms in which a row may have no answer; others are read with their answers, which are then left out."""
