"""Checks every file and every row of the datasets that stages will read, before anything is trained."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from alignment_api.run_config import RunConfig
from alignment_api.spec.data import Dataset, Datasets
from alignment_api.spec.kinds import KINDS

from alignment_trainer.checks.start_template import lacks_template
from alignment_trainer.data.cleaning import answers_nothing
from alignment_trainer.data.decontamination import texts_of
from alignment_trainer.data.fates import UNMATCHED, UNUSABLE
from alignment_trainer.data.mixture import ImpossibleHoldout, draw
from alignment_trainer.data.openings import read_opening
from alignment_trainer.data.readers import Read, Reader
from alignment_trainer.failures import BadData
from alignment_trainer.forms.columns import Find, find_rows
from alignment_trainer.forms.left_out import LeftOut
from alignment_trainer.forms.pairs.judged import FORM, judged_answers
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.reading.row_survey import Seen, Survey, survey
from alignment_trainer.reading.sources import PlacedRow, Source
from alignment_trainer.settings.feedback import ensemble_settings, judged_datasets, pair_settings
from alignment_trainer.settings.given import stage_path
from alignment_trainer.settings.training import training_settings
from alignment_trainer.templates.source import NO_TEMPLATE
from alignment_trainer.workspace.activity import counted

See = Callable[[dict[str, Any]], Seen]
"""Returns how a stage reads a row; raises BadRow where the row cannot be read."""


class Rows(NamedTuple):
    """The datasets in one field of a stage, and how their rows are checked."""

    field: str
    datasets: Datasets
    see: See
    find: Find = find_rows
    is_one: bool = False
    """Whether the field holds one dataset, and no list of them."""


@dataclass
class Findings:
    """What is known of the datasets that were checked so far."""

    counts: dict[str, int] = field(default_factory=dict)
    """How many rows each dataset has, by its field in the job; 0 where it has faults."""
    known: dict[tuple[See, str], int] = field(default_factory=dict)
    """The same numbers by check and dataset: a later stage often reads the same rows in the same way."""
    remarks: list[str] = field(default_factory=list)
    """Sentences that stop nothing: about rows that no stage uses, and rows that are still to be written."""
    read: list[str] = field(default_factory=list)
    """For each dataset a sentence about how its rows are read."""
    unfinished: frozenset[str] = frozenset()
    """Stages whose rows may not exist yet."""


def training_rows(config: RunConfig, reader: Reader) -> Iterator[Rows]:
    """Return all datasets of a stage that updates weights."""
    settings = training_settings(config)
    check = ExampleCheck(reader.read, has_template=not lacks_template(config))
    yield Rows(settings.datasets_path, settings.datasets, check, reader.find)
    yield from held_out_rows(config, reader)
    if settings.decontamination:
        yield Rows(f"{settings.path}.decontamination.datasets", settings.decontamination.datasets, see_text)


def held_out_rows(config: RunConfig, reader: Reader) -> Iterator[Rows]:
    """Return the datasets that a stage only evaluates on."""
    settings = training_settings(config)
    if settings.holdout and settings.holdout.datasets:
        check = ExampleCheck(reader.read, has_template=not lacks_template(config))
        yield Rows(f"{settings.path}.holdout.datasets", settings.holdout.datasets, check, reader.find)


@dataclass(frozen=True)
class ExampleCheck:
    """Checks rows of dialogues or pairs; equal checks of two stages count as one."""

    read: Read
    has_template: bool = True
    """Whether the stage can write messages as text, as far as is known."""

    def __call__(self, row: dict[str, Any]) -> Seen:
        """Return how the stage reads a row."""
        try:
            example, form, unread = self.read(row)
        except LeftOut as left_out:
            return Seen(left_out.reason)
        if answers_nothing(example):
            return Seen("nothing_answered", form, unread)
        if not self.has_template and any(isinstance(part, list) for part in example.parts):
            raise BadRow(NO_TEMPLATE)
        return Seen(None, form, unread)


def prompt_rows(field: str, datasets: Datasets) -> Iterator[Rows]:
    """Return datasets whose rows models are asked."""
    yield Rows(field, datasets, see_prompt)


def see_prompt(row: dict[str, Any]) -> Seen:
    """Check a row that models are asked."""
    try:
        return Seen(None, read_opening(row).form)
    except LeftOut as left_out:
        return Seen(left_out.reason)


def feedback_rows(config: RunConfig) -> Iterator[Rows]:
    """Return the questions of a feedback stage, or its rows that are judged already."""
    path, judged = stage_path(config), judged_datasets(config)
    if judged is None:
        yield from prompt_rows(f"{path}.prompts", ensemble_settings(config).prompts)
    else:
        needs_overall = pair_settings(config).score == "Overall"
        yield Rows(f"{path}.judged", judged, lambda row: see_judged(row, needs_overall))


def see_judged(row: dict[str, Any], needs_overall: bool) -> Seen:
    """Check a row whose answers are judged already."""
    judged_answers(row, needs_overall=needs_overall)
    return Seen(None, FORM)


def see_text(row: dict[str, Any]) -> Seen:
    """Check a row of an evaluation set."""
    if not any(texts_of(row)):
        raise BadRow("has no text; fill it or remove the row")
    return Seen()


def dataset_faults(config: RunConfig, reads: Rows, findings: Findings) -> Iterator[str]:
    """Check the datasets of one field; what was checked before in the same way is not read again."""
    for index, dataset in enumerate(reads.datasets):
        name = reads.field if reads.is_one else f"{reads.field}[{index}]"
        key = (reads.see, _identity(dataset))
        if key not in findings.known:
            findings.known[key] = 0
            yield from _faults(config, dataset, reads, f"{name}.{'stage' if dataset.stage else 'uri'}", findings)
        findings.counts[name] = findings.known[key]


def holdout_faults(config: RunConfig, findings: Findings) -> Iterator[str]:
    """Hold rows out as the stage will, so that an impossible holdout is found before anything is trained."""
    if not KINDS[config.stage.kind].trains:
        return
    settings = training_settings(config)
    available = [findings.counts.get(f"{settings.datasets_path}[{index}]", 0) for index in range(len(settings.datasets))]
    try:
        if all(available):
            draw(settings.datasets, available, settings.holdout, settings.seed)
    except ImpossibleHoldout as error:
        yield f"{settings.path}.holdout: {error}"


def _faults(config: RunConfig, dataset: Dataset, reads: Rows, name: str, findings: Findings) -> Iterator[str]:
    if dataset.stage in findings.unfinished:
        checked = f"they are checked when stage {config.stage_name!r} begins"
        findings.remarks.append(f"{name}: the rows of stage {dataset.stage!r} do not exist yet; {checked}")
        return
    try:
        source = reads.find(dataset, config.paths)
    except BadData as fault:
        yield f"{name}: {fault}"
        return
    found = survey(source, partial(see_row, reads.see), f"checking {dataset.source}")
    if found is None:
        yield from _row_faults(source, reads.see, name)
        return
    findings.known[reads.see, _identity(dataset)] = found.rows
    findings.read.append(f"{name}: {_summary(dataset, found)}")
    if not found.rows:
        yield f"{name}: {dataset.source} has no rows; fill it or remove it from the job"
    elif sum(unused.rows for unused in found.unused.values()) == found.rows:
        why = ", or ".join(UNUSABLE[reason] for reason in found.unused)
        yield f"{name}: in all {found.rows} rows of {dataset.source} {why}; correct it or remove it from the job"
    else:
        findings.remarks.extend(_left_out(name, dataset.source, found, source.unmatched))


def _left_out(name: str, shown: str, found: Survey, unmatched: int) -> Iterator[str]:
    if unmatched:
        yield f"{name}: {unmatched} rows of {shown} are in none of its {found.rows} pairs because {UNMATCHED}"
    for reason, unused in found.unused.items():
        left_out = f"{unused.rows} of {found.rows} rows of {shown} are left out because {UNUSABLE[reason]}"
        yield f"{name}: {left_out}; the first is {unused.first[2]}"


def _summary(dataset: Dataset, found: Survey) -> str:
    """Return how the rows of a dataset are read, such as: 12 rows of workspace://a.jsonl: 12 messages; not read: id."""
    forms = ", ".join(f"{count} {form}" for form, count in found.forms.most_common())
    unread = f"; not read: {', '.join(sorted(found.unread))}" if found.unread else ""
    return f"{found.rows} rows of {dataset.source}{': ' if forms else ''}{forms}{unread}"


def _row_faults(source: Source, see: See, name: str) -> Iterator[str]:
    for row in counted(source.rows(), f"looking for faults ({name})", None, "rows"):
        try:
            see_row(see, row)
        except BadRow as fault:
            yield f"{row.place}: {fault} ({name})"


def see_row(see: See, row: PlacedRow) -> Seen:
    """Check one row; a row that its file does not hold whole is a fault too."""
    if row.fault:
        raise row.fault
    return see(row.values)


def _identity(dataset: Dataset) -> str:
    return dataset.model_dump_json(include={"uri", "stage", "revision", "configuration", "split", "columns"})
