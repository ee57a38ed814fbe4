"""What is wrong with the datasets that stages will read: every file and every row, before anything is trained."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

from alignment_api.run_config import RunConfig
from alignment_api.spec.data import Dataset, Datasets

from alignment_trainer.data.cleaning import answers_nothing
from alignment_trainer.data.decontamination import texts_of
from alignment_trainer.data.mixture import ImpossibleHoldout, draw
from alignment_trainer.failures import BadData
from alignment_trainer.reading.messages import BadRow
from alignment_trainer.reading.row_survey import survey
from alignment_trainer.reading.rows import dialogue_of, pair_of
from alignment_trainer.reading.sources import PlacedRow, Source, find_source
from alignment_trainer.settings.training import training_settings
from alignment_trainer.workspace.activity import counted

_MEASURED_ON = "measured on"
_NOTHING = "an answer is empty, or both answers are the same"


@dataclass
class Findings:
    """What is known of the datasets that were read, by what reads each (a kind of stage, or a measurement) and what it is."""

    rows: dict[tuple[str, str], int] = field(default_factory=dict)
    """How many rows there are; 0 where a dataset has faults."""
    remarks: list[str] = field(default_factory=list)
    """Sentences that stop nothing: about rows that answer nothing, and rows that are still to be written."""
    unfinished: frozenset[str] = frozenset()
    """This stage and the later ones: whose rows are not there yet."""


def dataset_faults(config: RunConfig, findings: Findings) -> Iterator[str]:
    """Check all that one stage will read; what an earlier stage reads in the same way is not read again."""
    settings = training_settings(config)
    kind = config.stage.kind
    yield from _faults(config, settings.datasets, kind, f"{settings.path}.datasets", findings)
    if settings.holdout and settings.holdout.datasets:
        yield from _faults(config, settings.holdout.datasets, kind, f"{settings.path}.holdout.datasets", findings)
    if settings.decontamination:
        path = f"{settings.path}.decontamination.datasets"
        yield from _faults(config, settings.decontamination.datasets, _MEASURED_ON, path, findings)


def holdout_faults(config: RunConfig, findings: Findings) -> Iterator[str]:
    """Draw as the stage will: what cannot be held out is said before anything is trained."""
    settings = training_settings(config)
    available = [findings.rows.get((config.stage.kind, _identity(dataset)), 0) for dataset in settings.datasets]
    try:
        if all(available):
            draw(settings.datasets, available, settings.holdout, settings.seed)
    except ImpossibleHoldout as error:
        yield f"{settings.path}.holdout: {error}"


def _faults(config: RunConfig, datasets: Datasets, reader: str, path: str, findings: Findings) -> Iterator[str]:
    for index, dataset in enumerate(datasets):
        key = (reader, _identity(dataset))
        if key in findings.rows:
            continue
        findings.rows[key] = 0
        field = f"{path}[{index}].{'stage' if dataset.stage else 'uri'}"
        if dataset.stage in findings.unfinished:
            checked = f"they are checked when stage {config.stage_name!r} begins"
            findings.remarks.append(f"{field}: the rows of stage {dataset.stage!r} are not there yet; {checked}")
            continue
        try:
            source = find_source(dataset, config.paths)
        except BadData as fault:
            yield f"{field}: {fault}"
            continue
        yield from _row_faults(source, dataset, key, field, findings)


def _row_faults(source: Source, dataset: Dataset, key: tuple[str, str], field: str, findings: Findings) -> Iterator[str]:
    found = survey(source, partial(_is_answered, key[0]), f"checking {dataset.source}")
    if found is None:
        yield from _each_fault(source, key[0], field)
        return
    findings.rows[key] = found.rows
    if not found.rows:
        yield f"{field}: {dataset.source} has no rows; fill it or remove it from the job"
    elif found.unanswered == found.rows:
        yield f"{field}: in all {found.rows} rows of {dataset.source} {_NOTHING}; correct it or remove it from the job"
    elif found.first:
        findings.remarks.append(
            f"{field}: {found.unanswered} of {found.rows} rows of {dataset.source} are left out because {_NOTHING}; "
            f"the first is {found.first[2]}"
        )


def _each_fault(source: Source, reader: str, field: str) -> Iterator[str]:
    for row in counted(source.rows(), f"looking for faults ({field})", None, "rows"):
        try:
            _is_answered(reader, row)
        except BadRow as fault:
            yield f"{row.place}: {fault} ({field})"


def _is_answered(reader: str, row: PlacedRow) -> bool:
    """Say whether a row is left to be learned; a row that cannot be read is a fault."""
    if row.fault:
        raise row.fault
    if reader != _MEASURED_ON:
        return not answers_nothing((pair_of if reader == "dpo" else dialogue_of)(row.values))
    if not any(texts_of(row.values)):
        raise BadRow("has no text; fill it or remove the row")
    return True


def _identity(dataset: Dataset) -> str:
    return dataset.model_dump_json(include={"uri", "stage", "revision", "configuration", "split"})
