"""Checks all files that this stage and the later ones will read, before any process is started that costs a GPU."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from alignment_api.batch import ImpossibleBatch, accumulation_steps
from alignment_api.lineage import parent_of
from alignment_api.run_config import RunConfig
from alignment_api.training import Dataset, Datasets

from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.mixture import ImpossibleHoldout, draw
from alignment_trainer.rows import BadRow, dialogue_of, pair_of
from alignment_trainer.settings import kind_settings, training_settings
from alignment_trainer.sources import FORMATS, WORKSPACE, Row, read_rows, workspace_path

Counts = dict[tuple[str, str], int]
"""Rows of each dataset, by the kind of stage that reads it and its uri; 0 where they cannot be counted."""

_SHOWN = 5
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")


def check(config: RunConfig) -> None:
    """Refuse to start a stage whose job cannot be carried through."""
    for remaining in stages_to_come(config):
        training_settings(remaining)
        kind_settings(remaining)
        _check_batch(remaining)
    counts: Counts = {}
    faults = list(_faults(config, counts)) or list(_holdout_faults(config, counts))
    if faults:
        shown = "\n".join(faults[:_SHOWN])
        more = f"\nand {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise BadData(shown + more)


def stages_to_come(config: RunConfig) -> Iterator[RunConfig]:
    """Give this stage and the later ones, each as it will be told; only the first one's processes are known already."""
    yield config
    for stage in islice(config.spec.stages or [], config.stage_index + 1, None):
        yield config.model_copy(update={"stage_name": stage.name, "compute": config.spec.compute_of(stage)})


def _check_batch(config: RunConfig) -> None:
    settings = training_settings(config)
    try:
        accumulation_steps(settings.global_batch_size, config.compute)
    except ImpossibleBatch as error:
        raise BadConfiguration(f"{settings.path}.optimization.globalBatchSize: {error}") from error


def _faults(config: RunConfig, counts: Counts) -> Iterator[str]:
    if config.paths.parent_model:
        yield from _model_faults(Path(config.paths.parent_model), "the model of the stage before")
    uri = config.spec.model.uri if config.spec.model else None
    starts_from_base = any(parent_of(config.spec, stage.stage) is None for stage in stages_to_come(config))
    if uri and uri.startswith(WORKSPACE) and starts_from_base:
        yield from _model_faults(workspace_path(uri, config.paths.workspace), f"spec.model.uri: {uri}")
    elif uri and uri.startswith("s3://"):
        yield f"spec.model.uri: this version cannot read {uri}; copy the model to the workspace volume and use workspace://"
    for remaining in stages_to_come(config):
        settings = training_settings(remaining)
        yield from _dataset_faults(remaining, settings.datasets, f"{settings.path}.datasets", counts)
        apart = settings.holdout.datasets if settings.holdout else None
        yield from _dataset_faults(remaining, apart or [], f"{settings.path}.holdout.datasets", counts)


def _holdout_faults(config: RunConfig, counts: Counts) -> Iterator[str]:
    """Draw as each stage will, where all rows were counted: what cannot be held out is said before anything is trained."""
    for remaining in stages_to_come(config):
        settings = training_settings(remaining)
        available = [counts.get((remaining.stage.kind, dataset.uri), 0) for dataset in settings.datasets]
        try:
            if all(available):
                draw(settings.datasets, available, settings.holdout, settings.seed)
        except ImpossibleHoldout as error:
            yield f"{settings.path}.holdout: {error}"


def _dataset_faults(config: RunConfig, datasets: Datasets, path: str, counts: Counts) -> Iterator[str]:
    kind = config.stage.kind
    for index, dataset in enumerate(datasets):
        if (kind, dataset.uri) not in counts:
            counts[kind, dataset.uri] = 0
            yield from _source_faults(config, kind, dataset, f"{path}[{index}].uri", counts)


def _source_faults(config: RunConfig, kind: str, dataset: Dataset, field: str, counts: Counts) -> Iterator[str]:
    if dataset.uri.startswith("s3://"):
        yield f"{field}: this version cannot read {dataset.uri}; copy the file to the workspace volume and use workspace://"
    if not dataset.uri.startswith(WORKSPACE):
        return
    path = workspace_path(dataset.uri, config.paths.workspace)
    if not path.exists():
        yield f"{field}: {dataset.uri} does not exist on the workspace volume; copy it there or correct the path"
    elif path.is_dir():
        yield f"{field}: {dataset.uri} is a folder; name one {' or '.join(FORMATS)} file"
    elif path.suffix not in FORMATS:
        yield f"{field}: {dataset.uri} is not a {' or '.join(FORMATS)} file; convert it to one of these"
    else:
        yield from _row_faults(path, kind, dataset.uri.removeprefix(WORKSPACE), field, counts)


def _row_faults(path: Path, kind: str, shown: str, field: str, counts: Counts) -> Iterator[str]:
    count = 0
    try:
        for row in read_rows(path):
            count += 1
            fault = _row_fault(kind, row)
            if fault:
                yield f"{shown}:{row.number}: {fault} ({field})"
    except (OSError, ValueError) as error:
        yield f"{field}: {shown} cannot be read ({str(error).splitlines()[0]}); write it anew"
        return
    counts[kind, WORKSPACE + shown] = count
    if not count:
        yield f"{field}: {WORKSPACE}{shown} has no rows; fill it or remove it from the job"


def _row_fault(kind: str, row: Row) -> BadRow | None:
    if row.fault:
        return row.fault
    try:
        (pair_of if kind == "dpo" else dialogue_of)(row.values)
    except BadRow as fault:
        return fault
    return None


def _model_faults(folder: Path, name: str) -> Iterator[str]:
    if not folder.is_dir():
        yield f"{name} is not a folder on the workspace volume; copy the model there or correct the path"
        return
    if not (folder / "config.json").exists():
        yield f"{name} has no config.json; copy the whole model folder"
    if not any((folder / file).exists() for file in _TOKENIZERS):
        yield f"{name} has no tokenizer ({' or '.join(_TOKENIZERS)}); copy the whole model folder"
    yield from _weight_faults(folder, name)


def _weight_faults(folder: Path, name: str) -> Iterator[str]:
    index = folder / "model.safetensors.index.json"
    if index.exists():
        wanted = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        missing = [file for file in wanted if not (folder / file).exists()]
        if missing:
            yield f"{name} lacks {missing[0]} ({len(missing)} of {len(wanted)} weight files); copy the whole model folder"
    elif not any(folder.glob("*.safetensors")):
        yield f"{name} has no *.safetensors; convert the weights, other formats can carry code and are not read"
