"""Which rows of which source a stage uses, and the count of what became of every one of them."""

import sys
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from alignment_api.run_config import RunConfig
from alignment_api.spec.data import Dataset

from alignment_trainer.data.dataset_names import dataset_names
from alignment_trainer.data.decontamination import EvaluationIndex
from alignment_trainer.data.mixture import ImpossibleHoldout, draw
from alignment_trainer.data.preparation import Prepared
from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.reading.sources import Source, find_source
from alignment_trainer.settings.training import Settings

TRAIN, HELD_OUT = "train", "held_out"
_FATES = {
    TRAIN: "to train on",
    HELD_OUT: "held out",
    "duplicates": "left out of training because the same row is held out",
    "nothing_answered": "left out because an answer is empty, or both answers are the same",
    "refusals": "removed because the answer speaks of being an AI",
    "contaminated": "left out because an evaluation set contains their text",
    "control_tokens": "left out because their text would be read as control tokens",
    "dropped": "dropped because nothing is left to learn",
}
"""What may become of a used row, in words; each row has one fate, so that these counts add up to it."""
_REMARKS = {
    "cut": "shortened to maxLength",
    "unended": "of these without the end of an answer",
    "truecased": "with corrected case",
}

COUNTS = ("available", "used", *_FATES, *_REMARKS)


class Selected(NamedTuple):
    """The rows of one source that belong to one part."""

    name: str
    source: Source
    wanted: list[int]
    cleaning: tuple[str, ...]


@dataclass
class Selection:
    """What is used, the held-out part first, and what became of it."""

    parts: dict[str, list[Selected]]
    counts: dict[str, dict[str, int]]
    revisions: dict[str, str]
    contamination: dict[str, int] = field(default_factory=dict)
    _held_out: set[bytes] = field(default_factory=set)

    def keeps(self, part: str, name: str, row: Prepared) -> bool:
        """Decide about a prepared row and count it; what is held out is never trained on as well."""
        fate = self._fate(part, row)
        count = self.counts[name]
        count[fate] += 1
        count["cut"] += row.cut is not None and fate == part
        count["unended"] += row.cut == "unended" and fate == part
        count["truecased"] += row.is_truecased
        if row.contaminated_by is not None:
            self.contamination[row.contaminated_by] += 1
        if fate == HELD_OUT:
            self._held_out.add(row.content)
        return fate == part

    def total(self, fate: str) -> int:
        """Count the rows of one fate over all sources."""
        return sum(count[fate] for count in self.counts.values())

    @property
    def report(self) -> dict[str, Any]:
        """Give what the manifest says about rows."""
        return {"rows": self.counts, "contamination": self.contamination, "revisions": self.revisions}

    def told(self, field: str, max_length: int) -> list[str]:
        """Say what became of the rows, a line for each source and evaluation set."""
        lines = []
        for name, count in self.counts.items():
            fates = ", ".join(f"{count[fate]} {words}" for fate, words in _FATES.items() if count[fate])
            remarks = "".join(f"; {count[what]} {words}" for what, words in _REMARKS.items() if count[what])
            remarks = remarks.replace("maxLength", f"maxLength {max_length}")
            lines.append(f"{field}: {name} has {count['available']} rows, {count['used']} are used: {fates}{remarks}")
        return lines + [
            f"{field}: {removed} rows were left out because {name}, an evaluation set, contains their text"
            for name, removed in self.contamination.items()
        ]

    def _fate(self, part: str, row: Prepared) -> str:
        if row.answers_nothing:
            return "nothing_answered"
        if row.is_refusal:
            return "refusals"
        if row.contaminated_by is not None:
            return "contaminated"
        if row.writes_control_tokens:
            return "control_tokens"
        if part == TRAIN and row.content in self._held_out:
            return "duplicates"
        return "dropped" if row.tokens is None else part


def select(config: RunConfig, settings: Settings) -> Selection:
    """Draw each dataset's rows, and hold some of them out before anything is merged."""
    selection = Selection({HELD_OUT: [], TRAIN: []}, {}, {})
    apart = _apart(settings)
    names, apart_names, _ = _names(settings)
    sources = _find(config, settings.datasets, names, selection)
    try:
        draws = draw(settings.datasets, [sum(source.counts) for source in sources], settings.holdout, settings.seed)
    except ImpossibleHoldout as error:
        raise BadConfiguration(f"{settings.path}.holdout: {error}") from error
    for name, dataset, source, drawn in zip(names, settings.datasets, sources, draws, strict=True):
        _add(selection, TRAIN, Selected(name, source, drawn.train, _cleaning(dataset)))
        if not apart:
            _add(selection, HELD_OUT, Selected(name, source, drawn.held_out, _cleaning(dataset)))
    sources = _find(config, apart, apart_names, selection)
    draws = draw(apart, [sum(source.counts) for source in sources], None, settings.seed)
    for name, dataset, source, drawn in zip(apart_names, apart, sources, draws, strict=True):
        _add(selection, HELD_OUT, Selected(name, source, drawn.train, _cleaning(dataset)))
    return selection


def _apart(settings: Settings) -> list[Dataset]:
    return (settings.holdout.datasets if settings.holdout else None) or []


def _names(settings: Settings) -> list[list[str]]:
    """Name what is trained on, held out and measured on."""
    measured_on = settings.decontamination.datasets if settings.decontamination else []
    return dataset_names(settings.datasets, _apart(settings), measured_on)


def _find(config: RunConfig, datasets: list[Dataset], names: list[str], selection: Selection) -> list[Source]:
    sources = [find_source(dataset, config.paths) for dataset in datasets]
    for name, source in zip(names, sources, strict=True):
        selection.counts[name] = {**dict.fromkeys(COUNTS, 0), "available": sum(source.counts)}
        if source.revision:
            selection.revisions[name] = source.revision
    return sources


def _add(selection: Selection, part: str, selected: Selected) -> None:
    selection.parts[part].append(selected)
    selection.counts[selected.name]["used"] += len(selected.wanted)


def _cleaning(dataset: Dataset) -> tuple[str, ...]:
    return tuple(dataset.cleaning or ())


def evaluation_index(config: RunConfig, settings: Settings, selection: Selection) -> EvaluationIndex | None:
    """Index the evaluation sets that training must not know."""
    decontamination = settings.decontamination
    if decontamination is None:
        return None
    index = EvaluationIndex(decontamination.ngram_words, decontamination.overlap)
    *_, names = _names(settings)
    for name, dataset in zip(names, decontamination.datasets, strict=True):
        source = find_source(dataset, config.paths)
        (drawn,) = draw([dataset], [sum(source.counts)], None, settings.seed)
        found = [_add_to(index, name, row) for row in source.rows(frozenset(drawn.train))]
        selection.contamination[name] = 0
        if source.revision:
            selection.revisions[name] = source.revision
        if not any(found):
            raise BadData(
                f"{settings.path}.decontamination: no row of {name} has a text of {decontamination.ngram_words} words, "
                f"so decontamination cannot find any in training rows; lower ngramWords"
            )
        if not all(found):
            print(
                f"{settings.path}.decontamination: {found.count(False)} of {len(found)} rows of {name} have no text of "
                f"{decontamination.ngram_words} words, so decontamination ignores them",
                file=sys.stderr,
                flush=True,
            )
    return index


def _add_to(index: EvaluationIndex, name: str, row: Any) -> bool:
    if row.fault:
        raise BadData(f"{row.place}: {row.fault}")
    return index.add(name, row.values)
