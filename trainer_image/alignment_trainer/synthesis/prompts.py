"""Draws the prompts of a stage from its datasets: what models are asked, each with the row that it comes from."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

from alignment_api.run_config import RunConfig
from alignment_api.spec.data import Dataset

from alignment_trainer.data.cleaning import speaks_of_itself, truecased
from alignment_trainer.data.mixture import draw
from alignment_trainer.data.openings import ReadOpening, read_opening
from alignment_trainer.endpoints.question import Message
from alignment_trainer.forms import left_out
from alignment_trainer.forms.columns import find_rows
from alignment_trainer.forms.examples import Dialogue
from alignment_trainer.reading.sources import PlacedRow, Source
from alignment_trainer.synthesis.made import LeftOut


class Prompt(NamedTuple):
    """What models are asked."""

    key: str
    """The same for the same messages, in whatever job."""
    messages: tuple[Message, ...]
    row: dict[str, Any]
    """The values of the row that it comes from."""
    place: str
    """Where this row is, as messages show it."""


def prompts_of(
    config: RunConfig, datasets: list[Dataset], field: str, seed: int, read: ReadOpening = read_opening
) -> tuple[Iterator[Prompt | LeftOut], int]:
    """Return the prompts of datasets, each with what the stage leaves out in its place, and how many these are together."""
    sources = [find_rows(dataset, config.paths) for dataset in datasets]
    draws = draw(datasets, [sum(source.counts) for source in sources], None, seed)
    wanted = [drawn.train for drawn in draws]
    return _prompts(datasets, sources, wanted, field, read), sum(map(len, wanted))


def key_of(messages: tuple[Message, ...]) -> str:
    """Return the key of a prompt."""
    return hashlib.blake2b(json.dumps(messages).encode(), digest_size=8).hexdigest()


def alone(text: str, place: str) -> Prompt:
    """Return a text as a prompt."""
    messages: tuple[Message, ...] = ({"role": "user", "content": text},)
    return Prompt(key_of(messages), messages, {}, place)


def with_system(messages: tuple[Message, ...], system: str | None) -> tuple[Message, ...]:
    """Return messages with what the stage tells the models, before a system message of their own, as one: most take only one."""
    if not system:
        return messages
    own, asked = (messages[:1], messages[1:]) if messages[0]["role"] == "system" else ((), messages)
    text = "\n\n".join([system, *(message["content"] for message in own)])
    return ({"role": "system", "content": text}, *asked)


def told_by_user(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Return messages whose system message begins the first message of the user, for a model that takes no system message."""
    if messages[0]["role"] != "system":
        return tuple(messages)
    system, *asked = messages
    if not asked or asked[0]["role"] != "user":
        return ({"role": "user", "content": system["content"]}, *asked)
    return ({"role": "user", "content": f"{system['content']}\n\n{asked[0]['content']}"}, *asked[1:])


def _prompts(
    datasets: list[Dataset], sources: list[Source], wanted: list[list[int]], field: str, read: ReadOpening
) -> Iterator[Prompt | LeftOut]:
    seen: set[int] = set()
    for index, (dataset, source) in enumerate(zip(datasets, sources, strict=True)):
        for row in source.rows(frozenset(wanted[index])):
            found = _prompt(row, tuple(dataset.cleaning or ()), f"{field}[{index}]", read)
            if isinstance(found, Prompt):
                number = int(found.key, 16)
                if number in seen:
                    found = LeftOut("repeated", place=row.place)
                seen.add(number)
            yield found


def _prompt(row: PlacedRow, cleaning: tuple[str, ...], field: str, read: ReadOpening) -> Prompt | LeftOut:
    try:
        messages = row.read_as(read, field).messages
    except left_out.LeftOut as unused:
        return LeftOut(unused.reason, place=row.place)
    if "DropRefusals" in cleaning and speaks_of_itself(Dialogue(None, [dict(message) for message in messages])):
        return LeftOut("refusals", place=row.place)
    if "Truecase" in cleaning:
        messages = tuple(_truecased(message) for message in messages)
    return Prompt(key_of(messages), messages, row.values, row.place)


def _truecased(message: Message) -> Message:
    return message if message["role"] == "system" else cast(Message, {**message, "content": truecased(message["content"])})
