"""The texts by which weights are rounded, and on which models are compared: rows of one dataset, as tokens."""

from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

from alignment_api.run_config import RunConfig
from alignment_api.spec.data import Dataset

from alignment_trainer.data.mixture import draw
from alignment_trainer.data.tasks.compared import read_compared
from alignment_trainer.data.tokens import IGNORED, dialogue_tokens
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.forms.columns import find_rows
from alignment_trainer.forms.examples import Dialogue
from alignment_trainer.forms.left_out import LeftOut
from alignment_trainer.forms.messages import Message
from alignment_trainer.model_folder.configuration import size_of
from alignment_trainer.model_folder.documents import COPY, read_object
from alignment_trainer.model_folder.fitness import CONFIGURATION
from alignment_trainer.settings.export import ExportSettings

_LONGEST = 2048
"""Longer rows are cut, which bounds the memory for their logits."""
_CALIBRATING = 512
"""Most rows by which weights are rounded; more of them hardly change how."""


class Text(NamedTuple):
    """A row as tokens."""

    ids: list[int]
    measured: list[bool]
    """Which tokens count: those of answers, and all of a text but its first."""
    opening: list[Message]
    """The messages before its first answer; empty for a text."""

    @property
    def tokens(self) -> int:
        """Return how many tokens count."""
        return sum(self.measured)


def longest_text(model: Path) -> int:
    """Return how many tokens of a row a model gets: at most as many as it can read."""
    return min(_LONGEST, size_of(read_object(model / CONFIGURATION, COPY), "max_position_embeddings") or _LONGEST)


def calibration(config: RunConfig, settings: ExportSettings, tokenizer: Any, model: Path) -> list[Text]:
    """Return the texts by which weights are rounded: drawn by the stage's seed if the dataset has more rows than needed."""
    assert settings.calibration is not None
    field, dataset = f"{settings.path}.calibration", settings.calibration
    some = dataset.model_copy(update={"max_examples": min(dataset.max_examples or _CALIBRATING, _CALIBRATING)})
    found = list(texts_of(config, some, field, settings.seed, tokenizer, longest_text(model)))
    if not found:
        raise BadConfiguration(f"{field}: {dataset.source} has no text; name a dataset with answers or texts")
    return found


def texts_of(config: RunConfig, dataset: Dataset, field: str, seed: int, tokenizer: Any, longest: int) -> Iterator[Text]:
    """Yield the rows of a dataset in its order; rows in which nothing counts are left out."""
    source = find_rows(dataset, config.paths)
    drawn = draw([dataset], [sum(source.counts)], None, seed)[0]
    for row in source.rows(frozenset(drawn.train)):
        try:
            text = row.read_as(lambda values: _text(read_compared(values).example, tokenizer, longest), field)
        except LeftOut:
            continue
        if text and text.tokens:
            yield text


def first_tokens(texts: Iterator[Text], most: int) -> list[Text]:
    """Return as many texts as have so many tokens that count, from the first on; the last one is cut."""
    found: list[Text] = []
    left = most
    for text in texts:
        found.append(text if text.tokens <= left else _cut(text, left))
        left -= found[-1].tokens
        if not left:
            break
    return found


def _text(dialogue: Dialogue, tokenizer: Any, longest: int) -> Text | None:
    tokens, _ = dialogue_tokens(dialogue, tokenizer, True, longest)
    if tokens is None:
        return None
    # Nothing precedes the first token, from which it could be predicted.
    return Text(tokens["input_ids"], [False, *(label != IGNORED for label in tokens["labels"][1:])], _opening(dialogue))


def _opening(dialogue: Dialogue) -> list[Message]:
    messages = [message for part in dialogue.parts if isinstance(part, list) for message in part]
    return list(takewhile(lambda message: message["role"] != "assistant", messages))


def _cut(text: Text, most: int) -> Text:
    places = [place for place, counts in enumerate(text.measured) if counts]
    end = places[most - 1] + 1
    return text._replace(ids=text.ids[:end], measured=text.measured[:end])
