"""Prepares one row for training: reads, cleans and tokenizes it, or decides why it is left out."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy
from jinja2 import TemplateError

from alignment_trainer.data.cleaning import answers_nothing, speaks_of_itself, truecased_row
from alignment_trainer.data.control_tokens import ControlTokens
from alignment_trainer.data.decontamination import EvaluationIndex
from alignment_trainer.data.fitting import Cut
from alignment_trainer.data.readers import Read
from alignment_trainer.data.tokens import Tokens
from alignment_trainer.failures import BadData
from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.forms.left_out import LeftOut
from alignment_trainer.forms.messages import Text
from alignment_trainer.forms.texts import strings_in
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.reading.sources import PlacedRow
from alignment_trainer.reading.visible import in_one_line

Example = Dialogue | Pair


class Prepared(NamedTuple):
    """A tokenized row, or the reason why it is left out."""

    tokens: dict[str, Any] | None
    content: bytes = b""
    left_out: str | None = None
    """One of the fates in data/fates.py."""
    cut: Cut | None = None
    is_truecased: bool = False
    contaminated_by: str | None = None
    form: str | None = None
    """The name of its form; None where a form left it out."""
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preparation:
    """Prepares the rows of one dataset; the same row always gives the same result."""

    read: Read
    tokenize: Callable[[Any], tuple[Tokens | None, Cut | None]]
    control_tokens: ControlTokens
    cleaning: tuple[str, ...]
    evaluations: EvaluationIndex | None

    def prepared(self, row: PlacedRow) -> Prepared:
        """Prepare one row; a fault is raised with the place of the row."""
        try:
            if row.fault:
                raise row.fault
            read = self.read(row.values)
            return self._prepared(read.example)._replace(form=read.form, unread=read.unread)
        except LeftOut as left_out:
            return Prepared(None, left_out=left_out.reason)
        except BadRow as error:
            raise BadData(f"{row.place}: {error}") from error
        except TemplateError as error:
            why = in_one_line(str(error))
            raise BadData(
                f"{row.place}: the chat template rejects the row ({why}); correct the row or choose another template"
            ) from error

    def cleaned(self, example: Example) -> Example:
        """Return what is tokenized of a row that is not left out."""
        return truecased_row(example) if "Truecase" in self.cleaning else example

    def _prepared(self, example: Example) -> Prepared:
        original, example = example, self.cleaned(example)
        content, is_truecased = content_of(example), example != original
        # Checked after Truecase, which may make both answers of a pair the same.
        if answers_nothing(example):
            return Prepared(None, content, "nothing_answered", is_truecased=is_truecased)
        if "DropRefusals" in self.cleaning and speaks_of_itself(example):
            return Prepared(None, content, "refusals", is_truecased=is_truecased)
        known = self.evaluations.found_in(_texts(example)) if self.evaluations else None
        if known is not None:
            return Prepared(None, content, "contaminated", is_truecased=is_truecased, contaminated_by=known)
        if self.control_tokens.are_written_in(example):
            return Prepared(None, content, "control_tokens", is_truecased=is_truecased)
        tokens, cut = self.tokenize(example)
        # Arrays are cheap to send from one process to another.
        arrays = {name: numpy.asarray(ids, dtype=numpy.int32) for name, ids in tokens.items()} if tokens else None
        return Prepared(arrays, content, None if arrays else "dropped", cut, is_truecased)


def content_of(example: Example) -> bytes:
    """Hash the content of a row, independent of the form in which it is written."""
    if isinstance(example, Dialogue):
        whole: Any = _joined(example.prompt, example.answer)
    else:
        whole = [_joined(example.prompt, example.chosen), _joined(example.prompt, example.rejected)]
    content = [whole, example.tools] if example.tools else whole
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=16).digest()


def _joined(prompt: Text | None, answer: Text) -> Any:
    if isinstance(prompt, list) and isinstance(answer, list):
        return [*prompt, *answer]
    return answer if prompt is None else [prompt, answer]


def _texts(example: Example) -> Iterator[str]:
    for part in example.parts:
        if isinstance(part, str):
            yield part
        else:
            for message in part:
                yield message["content"]
                yield from strings_in(message.get("tool_calls"))
