"""Samples: the answers of several models to the same prompts, aligned, filtered and counted."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from alignment_dashboard.facts.word_difference import count_words, share_changed

Rows = Sequence[Mapping[str, Any]]
"""Rows of the trainer's files, as they are stored: older ones have no key, and any value may be missing."""

BASE = "base"
"""The name of the output of a job's model before any training."""

DATA = ("chosen", "rejected", "reference")
"""The answers of the data to a prompt."""


class Output(NamedTuple):
    """Which model answered: the base model, or a stage after some steps."""

    name: str
    step: int
    rows: Rows
    job: str
    """The identity of the job."""
    model: str
    """The model from which the job starts."""

    @property
    def is_base(self) -> bool:
        """Whether the model has not been trained."""
        return self.name.startswith(BASE) and not self.step

    @property
    def label(self) -> str:
        """Return the name with the step; the base model has none."""
        return self.name if self.is_base else f"{self.name}, step {self.step}"


class Sample(NamedTuple):
    """One prompt with the answer of each output, in their order; None where an output has none."""

    key: str
    prompt: str
    answers: tuple[str | None, ...]
    data: Mapping[str, str]

    @property
    def given(self) -> list[str]:
        """Return the answers that there are."""
        return [answer for answer in self.answers if answer is not None]

    @property
    def is_changed(self) -> bool:
        """Whether not all outputs gave the same answer."""
        return len(set(self.given)) > 1

    @property
    def changed(self) -> float | None:
        """Return which share of the words changed from the first to the last answer."""
        return share_changed(self.given[0], self.given[-1]) if len(self.given) > 1 else None

    @property
    def words(self) -> int | None:
        """Return the length of the last answer."""
        return count_words(self.given[-1]) if self.given else None


class Wanted(NamedTuple):
    """Which samples are shown."""

    only_changed: bool = False
    shortest: int = 0
    longest: int | None = None
    text: str = ""


class Length(NamedTuple):
    """What the answers of one output, or of the data, have in common."""

    name: str
    answers: int
    words: float
    changed: int | None = None
    """How many of them differ from the answers of the first output."""
    compared: int = 0


def steps_of(rows: Rows) -> list[int]:
    """Return the steps at which a stage was sampled."""
    return sorted({row["step"] for row in rows if isinstance(row.get("step"), int)})


def rows_at(rows: Rows, step: int) -> Rows:
    """Return the rows of one step."""
    return [row for row in rows if row.get("step") == step]


def align(outputs: Sequence[Output]) -> list[Sample]:
    """Return one sample for each prompt that any output answered, in the order in which they first come."""
    keys = _Keys(row for output in outputs for row in output.rows)
    answers = [{keys.of(row): row["policy"] for row in output.rows if _has(row, "policy")} for output in outputs]
    prompts: dict[str, str] = {}
    data: dict[str, dict[str, str]] = {}
    for output in outputs:
        for row in output.rows:
            key = keys.of(row)
            prompts.setdefault(key, _prompt_of(row))
            known = data.setdefault(key, {})
            known |= {name: row[name] for name in DATA if _has(row, name) and name not in known}
    return [Sample(key, prompt, tuple(column.get(key) for column in answers), data[key]) for key, prompt in prompts.items()]


class _Keys:
    """What identifies a prompt: its key, or in older rows its text."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._of_text = {_prompt_of(row): str(row["key"]) for row in rows if row.get("key")}

    def of(self, row: Mapping[str, Any]) -> str:
        text = _prompt_of(row)
        return str(row.get("key") or self._of_text.get(text) or hashlib.sha256(text.encode(errors="replace")).hexdigest()[:16])


def choose(samples: Sequence[Sample], wanted: Wanted) -> list[Sample]:
    """Return the samples that are shown."""
    return [sample for sample in samples if _is_wanted(sample, wanted)]


def _is_wanted(sample: Sample, wanted: Wanted) -> bool:
    words, text = sample.words or 0, wanted.text.casefold()
    return (
        (sample.is_changed or not wanted.only_changed)
        and wanted.shortest <= words
        and (wanted.longest is None or words <= wanted.longest)
        and any(text in found.casefold() for found in (sample.prompt, *sample.given, *sample.data.values()))
    )


def lengths(outputs: Sequence[Output], samples: Sequence[Sample]) -> list[Length]:
    """Return how long the answers of each output and of the data are, and how many the outputs changed."""
    found = [_length(number, output, samples) for number, output in enumerate(outputs)]
    for name in DATA:
        texts = [sample.data[name] for sample in samples if name in sample.data]
        found += [Length(name, len(texts), _mean(texts))] if texts else []
    return found


def _length(number: int, output: Output, samples: Sequence[Sample]) -> Length:
    texts = [answer for sample in samples if (answer := sample.answers[number]) is not None]
    pairs = [(sample.answers[0], sample.answers[number]) for sample in samples if number]
    compared = [old != new for old, new in pairs if old is not None and new is not None]
    return Length(output.label, len(texts), _mean(texts), sum(compared) if compared else None, len(compared))


def _mean(texts: list[str]) -> float:
    return fmean(map(count_words, texts)) if texts else 0.0


def _has(row: Mapping[str, Any], name: str) -> bool:
    return isinstance(row.get(name), str)


def _prompt_of(row: Mapping[str, Any]) -> str:
    return row["prompt"] if _has(row, "prompt") else ""
