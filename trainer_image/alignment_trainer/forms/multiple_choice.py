"""Turns a question with options into a dialogue, from the columns of MMLU, of ARC and of LLM Foundry."""

from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any, NamedTuple

from alignment_trainer.forms.messages import Message
from alignment_trainer.forms.texts import text_of, whole_text
from alignment_trainer.reading.bad_row import BadRow


class Choices(NamedTuple):
    """A question with options, of which one is right."""

    question: str
    texts: tuple[str, ...]
    right: int
    """Its position, from 0."""

    @property
    def asked(self) -> str:
        """Return the question with its lettered options."""
        return "\n".join([f"{self.question}\n", *self.answers])

    @property
    def answers(self) -> tuple[str, ...]:
        """Return each option as an answer: its letter and its text."""
        return tuple(f"{letter}. {text}" for letter, text in zip(ascii_uppercase, self.texts, strict=False))


def choices_of(row: Mapping[str, Any], question: str, answers: tuple[str, ...]) -> Choices:
    """Read a question with options; its answer is the index of the right one, its label or letter, or its text."""
    texts, labels = _options(row["choices"])
    column = next((column for column in answers if row.get(column) is not None), None)
    if column is None:
        raise BadRow(f"has no answer; it needs {question}, choices and {' or '.join(answers)}")
    return Choices(text_of(row, question), tuple(texts), _right_option(row[column], texts, labels, column))


def multiple_choice_of(row: Mapping[str, Any], question: str, answers: tuple[str, ...]) -> list[Message]:
    """Return a question with lettered options, and as its answer the right letter with its option."""
    choices = choices_of(row, question, answers)
    return [
        {"role": "user", "content": choices.asked},
        {"role": "assistant", "content": choices.answers[choices.right]},
    ]


def _options(choices: Any) -> tuple[list[str], list[str]]:
    """Return the options' texts and their labels in the row."""
    texts = choices.get("text") if isinstance(choices, dict) else choices
    if not isinstance(texts, list) or not 2 <= len(texts) <= len(ascii_uppercase):
        raise BadRow(f"choices must be 2 to {len(ascii_uppercase)} texts, or lists text and label of that length; correct it")
    texts = [whole_text(text, f"choices[{index}]") for index, text in enumerate(texts)]
    labels = choices.get("label") if isinstance(choices, dict) else list(ascii_uppercase[: len(texts)])
    if not isinstance(labels, list) or len(labels) != len(texts) or len({str(label) for label in labels}) != len(labels):
        raise BadRow("choices.label must have one label for each of choices.text, each only once; correct it")
    return texts, [str(label) for label in labels]


def _right_option(answer: Any, texts: list[str], labels: list[str], column: str) -> int:
    """Find the option that an index, a label or a text names; a label is tried before a text."""
    if isinstance(answer, int) and not isinstance(answer, bool):
        if 0 <= answer < len(texts):
            return answer
        raise BadRow(f"{column} is {answer}, but the options are 0 to {len(texts) - 1}; correct it")
    if isinstance(answer, str):
        named = [index for index, label in enumerate(labels) if label == answer.strip()]
        named = named or [index for index, label in enumerate(labels) if label.upper() == answer.strip().upper()]
        named = named or [index for index, text in enumerate(texts) if text.strip() == answer.strip()]
        if len(named) == 1:
            return named[0]
    raise BadRow(f"{column} does not name exactly one option; use its index from 0, one of {', '.join(labels)}, or its text")
