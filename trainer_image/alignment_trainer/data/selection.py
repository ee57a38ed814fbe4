"""Selects the rows of each dataset that a stage uses, and counts how each of them was used or left out."""

import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from alignment_api.run_config import RunConfig
from alignment_api.spec.data import Dataset

from alignment_trainer.data.dataset_names import dataset_names
from alignment_trainer.data.decontamination import EvaluationIndex
from alignment_trainer.data.fates import COUNTS, FATES, HELD_OUT, REMARKS, TRAIN
from alignment_trainer.data.mixture import ImpossibleHoldout, draw
from alignment_trainer.data.preparation import Prepared
from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.forms.columns import Find, find_rows
from alignment_trainer.reading.sources import PlacedRow, Source
from alignment_trainer.settings.training import Settings


class Selected(NamedTuple):
    """The rows of one source that belong to one part."""

    name: str
    source: Source
    wanted: list[int]
    cleaning: tuple[str, ...]


@dataclass
class Selection:
    """The used rows, the held-out part first, and the counts of their fates."""

    parts: dict[str, list[Selected]]
    counts: dict[str, dict[str, int]]
    revisions: dict[str, str]
    contamination: dict[str, int] = field(default_factory=dict)
    forms: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How many rows of each dataset have which form."""
    unread: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The columns of each dataset that are not read."""
    _held_out: set[bytes] = field(default_factory=set)

    def keeps(self, part: str, name: str, row: Prepared) -> bool:
        """Decide and count the fate of a prepared row; a held-out row is never trained on."""
        fate = self._fate(part, row)
        count = self.counts[name]
        count[fate] += 1
        if row.cut and fate == part:
            count["cut"] += 1
        if row.cut == "unended" and fate == part:
            count["unended"] += 1
        if row.form:
            self.forms[name][row.form] += 1
        if row.unread:
            self.unread[name].update(row.unread)
        if row.is_truecased:
            count["truecased"] += 1
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
        """Return the counts for the manifest."""
        return {
            "rows": self.counts,
            "contamination": self.contamination,
            "revisions": self.revisions,
            "forms": {name: dict(forms) for name, forms in self.forms.items()},
            "unreadColumns": {name: sorted(columns) for name, columns in self.unread.items()},
        }

    def summary(self, field: str, max_length: int) -> list[str]:
        """Return the counts in words, one line per dataset and evaluation set."""
        lines = []
        for name, count in self.counts.items():
            fates = ", ".join(f"{count[fate]} {words}" for fate, words in FATES.items() if count[fate])
            remarks = "".join(f"; {count[what]} {words}" for what, words in REMARKS.items() if count[what])
            remarks = remarks.replace("maxLength", f"maxLength {max_length}")
            lines.append(f"{field}: {name} has {count['available']} rows, {count['used']} are used: {fates}{remarks}")
            if self.unread[name]:
                lines.append(f"{field}: {name}: columns that are not read: {', '.join(sorted(self.unread[name]))}")
        return lines + [
            f"{field}: {removed} rows were left out because {name}, an evaluation set, contains their text"
            for name, removed in self.contamination.items()
        ]

    def _fate(self, part: str, row: Prepared) -> str:
        if row.left_out and row.left_out != "dropped":
            return row.left_out
        if part == TRAIN and row.content in self._held_out:
            return "duplicates"
        return row.left_out or part


def select(config: RunConfig, settings: Settings, find: Find = find_rows) -> Selection:
    """Draw each dataset's rows, and hold some of them out before the datasets are merged."""
    selection = Selection({HELD_OUT: [], TRAIN: []}, {}, {})
    names, held_out_names, _ = _names(settings)
    _select_training_sets(settings, names, selection, _find(config, settings.datasets, names, selection, find))
    held_out_sets = _held_out_sets(settings)
    _select_held_out_sets(settings, held_out_names, selection, _find(config, held_out_sets, held_out_names, selection, find))
    return selection


def _select_training_sets(settings: Settings, names: list[str], selection: Selection, sources: list[Source]) -> None:
    try:
        draws = draw(settings.datasets, [sum(source.counts) for source in sources], settings.holdout, settings.seed)
    except ImpossibleHoldout as error:
        raise BadConfiguration(f"{settings.path}.holdout: {error}") from error
    for name, dataset, source, drawn in zip(names, settings.datasets, sources, draws, strict=True):
        _add(selection, TRAIN, Selected(name, source, drawn.train, _cleaning(dataset)))
        if not _held_out_sets(settings):
            _add(selection, HELD_OUT, Selected(name, source, drawn.held_out, _cleaning(dataset)))


def _select_held_out_sets(settings: Settings, names: list[str], selection: Selection, sources: list[Source]) -> None:
    datasets = _held_out_sets(settings)
    draws = draw(datasets, [sum(source.counts) for source in sources], None, settings.seed)
    for name, dataset, source, drawn in zip(names, datasets, sources, draws, strict=True):
        _add(selection, HELD_OUT, Selected(name, source, drawn.train, _cleaning(dataset)))


def _held_out_sets(settings: Settings) -> list[Dataset]:
    return (settings.holdout.datasets if settings.holdout else None) or []


def _names(settings: Settings) -> list[list[str]]:
    """Return the names of the datasets for training, holdout and decontamination."""
    evaluation_sets = settings.decontamination.datasets if settings.decontamination else []
    return dataset_names(settings.datasets, _held_out_sets(settings), evaluation_sets)


def _find(config: RunConfig, datasets: list[Dataset], names: list[str], selection: Selection, find: Find) -> list[Source]:
    sources = [find(dataset, config.paths) for dataset in datasets]
    for name, source in zip(names, sources, strict=True):
        selection.counts[name] = {**dict.fromkeys(COUNTS, 0), "available": sum(source.counts), "unmatched": source.unmatched}
        if source.revision:
            selection.revisions[name] = source.revision
    return sources


def _add(selection: Selection, part: str, selected: Selected) -> None:
    selection.parts[part].append(selected)
    selection.counts[selected.name]["used"] += len(selected.wanted)


def _cleaning(dataset: Dataset) -> tuple[str, ...]:
    return tuple(dataset.cleaning or ())


def evaluation_index(config: RunConfig, settings: Settings, selection: Selection) -> EvaluationIndex | None:
    """Index the evaluation sets whose texts training rows must not contain."""
    decontamination = settings.decontamination
    if decontamination is None:
        return None
    index = EvaluationIndex(decontamination.ngram_words, decontamination.overlap)
    *_, names = _names(settings)
    for name, dataset in zip(names, decontamination.datasets, strict=True):
        source = find_rows(dataset, config.paths)
        (drawn,) = draw([dataset], [sum(source.counts)], None, settings.seed)
        selection.contamination[name] = 0
        if source.revision:
            selection.revisions[name] = source.revision
        is_indexed = [_add_to(index, name, row) for row in source.rows(frozenset(drawn.train))]
        _check_indexed(is_indexed, name, f"{settings.path}.decontamination", decontamination.ngram_words)
    return index


def _add_to(index: EvaluationIndex, name: str, row: PlacedRow) -> bool:
    if row.fault:
        raise BadData(f"{row.place}: {row.fault}")
    return index.add(name, row.values)


def _check_indexed(is_indexed: list[bool], name: str, field: str, words: int) -> None:
    if not any(is_indexed):
        raise BadData(
            f"{field}: no row of {name} has a text of {words} words, so decontamination cannot find any in training rows; "
            f"lower ngramWords"
        )
    skipped = is_indexed.count(False)
    if skipped:
        message = f"{skipped} of {len(is_indexed)} rows of {name} have no text of {words} words, so decontamination ignores them"
        print(f"{field}: {message}", file=sys.stderr, flush=True)
