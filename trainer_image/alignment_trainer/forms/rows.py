"""Reads a row as a dialogue or a pair, in each of their usual forms, recognised by its columns."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from alignment_trainer.forms.messages import Message, Text, conversation_of, messages_of, text_of, whole_text
from alignment_trainer.forms.multiple_choice import multiple_choice_of
from alignment_trainer.reading.bad_row import BadRow

_DIALOGUES = (
    "messages, conversations, prompt and completion, instruction and output, or question, choices and answer (docs/data.md)"
)
_PAIRS = "prompt, chosen and rejected"


class Dialogue(NamedTuple):
    """A row for supervised fine-tuning; if it has a prompt, only the answer is learned."""

    prompt: Text | None
    answer: Text
    tools: list[dict[str, Any]] | None = None
    """Descriptions of the tools that the assistant may call, as chat templates take them."""
    unlearned: frozenset[int] = frozenset()
    """The positions in `answer` of assistant messages that the row excludes from the loss."""

    @property
    def parts(self) -> tuple[Text, ...]:
        """Return everything that is written in the row."""
        return (self.answer,) if self.prompt is None else (self.prompt, self.answer)

    @property
    def answers(self) -> tuple[Text, ...]:
        """Return what is answered to the prompt."""
        return (self.answer,)


class Pair(NamedTuple):
    """A row for preference optimization: one prompt and two answers."""

    prompt: Text
    chosen: Text
    rejected: Text
    tools: list[dict[str, Any]] | None = None
    """Descriptions of the tools that the assistant may call, as chat templates take them."""

    @property
    def parts(self) -> tuple[Text, ...]:
        """Return everything that is written in the row."""
        return (self.prompt, self.chosen, self.rejected)

    @property
    def answers(self) -> tuple[Text, ...]:
        """Return what is answered to the prompt."""
        return (self.chosen, self.rejected)


def dialogue_of(row: Mapping[str, Any]) -> Dialogue:
    """Read a dialogue; if a row's columns match several forms, the first form below is used."""
    if row.get("messages") is not None:
        return _answered(messages_of(row["messages"], "messages"), "messages")
    if row.get("conversations") is not None:
        return _answered(conversation_of(row["conversations"], "conversations"), "conversations")
    if row.get("question") is not None and row.get("choices") is not None:
        return Dialogue(None, multiple_choice_of(row))
    if row.get("instruction") is not None:
        return Dialogue(None, _instruction(row))
    prompt, completion = _texts(row, ("prompt", "completion"), _DIALOGUES)
    return Dialogue(prompt, completion)


def pair_of(row: Mapping[str, Any]) -> Pair:
    """Read a row of prompt, chosen and rejected; without a prompt, whole dialogues are split where they begin to differ."""
    if isinstance(row.get("chosen"), list) and isinstance(row.get("rejected"), list):
        prompt = row.get("prompt")
        if not isinstance(prompt, list):
            return _split_pair(messages_of(row["chosen"], "chosen"), messages_of(row["rejected"], "rejected"))
    prompt, chosen, rejected = _texts(row, ("prompt", "chosen", "rejected"), _PAIRS)
    return Pair(prompt, chosen, rejected)


def _answered(messages: list[Message], column: str) -> Dialogue:
    if all(message["role"] != "assistant" for message in messages):
        raise BadRow(f"{column} has no message with role assistant, so there is nothing to learn from it")
    return Dialogue(None, messages)


def _instruction(row: Mapping[str, Any]) -> list[Message]:
    """Read Alpaca's columns: instruction, input and output."""
    if row.get("output") is None:
        raise BadRow("has instruction but no output; add the output or remove the row")
    question = text_of(row, "instruction")
    given = whole_text(row.get("input") or "", "input")
    system = whole_text(row.get("system") or "", "system")
    return [
        *([{"role": "system", "content": system}] if system else []),
        {"role": "user", "content": f"{question}\n\n{given}" if given else question},
        {"role": "assistant", "content": whole_text(row["output"], "output")},
    ]


def _split_pair(chosen: list[Message], rejected: list[Message]) -> Pair:
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    if not shared:
        raise BadRow("chosen and rejected do not begin with the same message; add prompt as a list of messages")
    return Pair(chosen[:shared], chosen[shared:], rejected[shared:])


def _texts(row: Mapping[str, Any], columns: tuple[str, ...], wanted: str) -> list[Any]:
    missing = [column for column in columns if row.get(column) is None]
    if missing:
        raise BadRow(f"has no {' and no '.join(missing)}; it needs {wanted}, but has {_shown_columns(row)}")
    values = [row[column] for column in columns]
    if all(isinstance(value, str) for value in values):
        return [whole_text(value, column) for column, value in zip(columns, values, strict=True)]
    if all(isinstance(value, list) for value in values):
        return [messages_of(value, column) for column, value in zip(columns, values, strict=True)]
    raise BadRow(f"{', '.join(columns)} must all be texts, or all lists of messages; make them the same")


def _shown_columns(row: Mapping[str, Any]) -> str:
    columns = sorted(str(column) for column, value in row.items() if value is not None)
    shown = ", ".join(column if len(column) <= 40 else f"{column[:37]}..." for column in columns[:10])
    return (shown + (f" and {len(columns) - 10} more" if len(columns) > 10 else "")) or "nothing"
