"""What is wrong with the datasets that stages will read: every file and every row, before anything is trained."""

from collections.abc import Iterator

from alignment_api.run_config import RunConfig
from alignment_api.training import Dataset, Datasets

from alignment_trainer.decontamination import texts_of
from alignment_trainer.failures import BadData
from alignment_trainer.messages import BadRow
from alignment_trainer.mixture import ImpossibleHoldout, draw
from alignment_trainer.rows import dialogue_of, pair_of
from alignment_trainer.settings import training_settings
from alignment_trainer.sources import PlacedRow, Source, find_source

_MEASURED_ON = "measured on"
Counts = dict[tuple[str, str], int]
"""Rows of each dataset, by what reads it (a kind of stage, or a measurement) and what it is; 0 where it has faults."""


def dataset_faults(config: RunConfig, counts: Counts) -> Iterator[str]:
    """Check all that one stage will read; what an earlier stage reads in the same way is not read again."""
    settings = training_settings(config)
    kind = config.stage.kind
    yield from _faults(config, settings.datasets, kind, f"{settings.path}.datasets", counts)
    if settings.holdout and settings.holdout.datasets:
        yield from _faults(config, settings.holdout.datasets, kind, f"{settings.path}.holdout.datasets", counts)
    if settings.decontamination:
        path = f"{settings.path}.decontamination.datasets"
        yield from _faults(config, settings.decontamination.datasets, _MEASURED_ON, path, counts)


def holdout_faults(config: RunConfig, counts: Counts) -> Iterator[str]:
    """Draw as the stage will: what cannot be held out is said before anything is trained."""
    settings = training_settings(config)
    available = [counts.get((config.stage.kind, _identity(dataset)), 0) for dataset in settings.datasets]
    try:
        if all(available):
            draw(settings.datasets, available, settings.holdout, settings.seed)
    except ImpossibleHoldout as error:
        yield f"{settings.path}.holdout: {error}"


def _faults(config: RunConfig, datasets: Datasets, reader: str, path: str, counts: Counts) -> Iterator[str]:
    for index, dataset in enumerate(datasets):
        key = (reader, _identity(dataset))
        if key in counts:
            continue
        counts[key] = 0
        field = f"{path}[{index}].uri"
        try:
            source = find_source(dataset, config.paths)
        except BadData as fault:
            yield f"{field}: {fault}"
            continue
        yield from _row_faults(source, dataset, key, field, counts)


def _row_faults(source: Source, dataset: Dataset, key: tuple[str, str], field: str, counts: Counts) -> Iterator[str]:
    count, is_whole = 0, True
    for row in source.rows():
        count += 1
        fault = _row_fault(key[0], row)
        if fault:
            is_whole = False
            yield f"{row.place}: {fault} ({field})"
    if not count:
        yield f"{field}: {dataset.uri} has no rows; fill it or remove it from the job"
    counts[key] = count if is_whole else 0


def _row_fault(reader: str, row: PlacedRow) -> BadRow | None:
    if row.fault:
        return row.fault
    try:
        if reader == _MEASURED_ON:
            return None if any(texts_of(row.values)) else BadRow("has no text; fill it or remove the row")
        (pair_of if reader == "dpo" else dialogue_of)(row.values)
    except BadRow as fault:
        return fault
    return None


def _identity(dataset: Dataset) -> str:
    return dataset.model_dump_json(include={"uri", "revision", "configuration", "split"})
