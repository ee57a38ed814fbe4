"""Describes a row as training reads it, line by line."""

from collections.abc import Iterator
from typing import Any

from alignment_trainer.data.fates import FATES, REMARKS
from alignment_trainer.data.preparation import Example, Preparation, Prepared
from alignment_trainer.data.tokens import IGNORED
from alignment_trainer.forms.examples import Dialogue
from alignment_trainer.forms.messages import Text, said
from alignment_trainer.reading.sources import PlacedRow
from alignment_trainer.reading.visible import visible
from alignment_trainer.showing.marking import Decode, marked, pieces_of

_LONGEST_MESSAGE = 160


def row_lines(row: PlacedRow, preparation: Preparation, decode: Decode, in_colour: bool) -> Iterator[str]:
    """Describe one row: where it is, how it is read, what is learned of it, and what is left out; raise BadData if it is bad."""
    prepared = preparation.prepared(row)
    if prepared.form is None:
        yield visible(f"{row.place}  {''.join(_remarks(prepared)).strip()}")
        return
    unread = f"; ignored: {', '.join(prepared.unread)}" if prepared.unread else ""
    yield visible(f"{row.place}  form: {prepared.form}{unread}")
    yield from _example_lines(preparation.read(row.values).example)
    yield from _token_lines(prepared, decode, in_colour)
    yield from _remarks(prepared)


def _example_lines(example: Example) -> Iterator[str]:
    if example.tools:
        yield visible(f"  tools: {', '.join(tool['function']['name'] for tool in example.tools)}")
    for name, part in _named_parts(example):
        yield from _part_lines(name, part)


def _named_parts(example: Example) -> list[tuple[str, Text]]:
    if not isinstance(example, Dialogue):
        return [("prompt", example.prompt), ("chosen", example.chosen), ("rejected", example.rejected)]
    if isinstance(example.answer, list):
        return [("", [*(message for part in example.parts for message in part if isinstance(message, dict))])]
    return [(name, part) for name, part in (("prompt", example.prompt), ("answer", example.answer)) if part]


def _part_lines(name: str, part: Text) -> Iterator[str]:
    if isinstance(part, str):
        yield f"  {name}: {_short(part)}"
    else:
        label = f"{name} " if name else ""
        yield from (f"  {label}{message['role']}: {_short(said(message))}" for message in part)


def _short(text: str) -> str:
    shown = visible(text[: _LONGEST_MESSAGE + 1].replace("\n", "⏎"))
    return shown if len(text) <= _LONGEST_MESSAGE else f"{shown[:_LONGEST_MESSAGE]}… ({len(text)} characters)"


def _token_lines(prepared: Prepared, decode: Decode, in_colour: bool) -> Iterator[str]:
    for name, ids, is_learned in _sequences(prepared.tokens or {}):
        learned = f", {sum(is_learned)} of them learned" if any(is_learned) else ""
        yield f"  {name}: {len(ids)} tokens{learned}"
        text = marked(pieces_of(ids, is_learned, decode), in_colour)
        yield from (f"    {line}" for line in text.split("\n"))


def _sequences(tokens: dict[str, Any]) -> Iterator[tuple[str, list[int], list[bool]]]:
    """Yield each list of tokens with its name, and whether each of its tokens is learned."""
    if "labels" in tokens:
        yield "text", tokens["input_ids"].tolist(), [bool(label != IGNORED) for label in tokens["labels"]]
    else:
        for column, ids in tokens.items():
            name = column.removesuffix("_ids")
            yield name, ids.tolist(), [name != "prompt"] * len(ids)


def _remarks(prepared: Prepared) -> Iterator[str]:
    if prepared.left_out:
        by = f" ({prepared.contaminated_by})" if prepared.contaminated_by else ""
        yield f"  {FATES[prepared.left_out]}{by}"
    if prepared.cut:
        yield f"  {REMARKS['cut']}{', without the end of an answer' if prepared.cut == 'unended' else ''}"
    if prepared.is_truecased:
        yield f"  {REMARKS['truecased']}"
