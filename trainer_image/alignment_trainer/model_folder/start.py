"""Which model a stage starts from: its folder if it is on the workspace volume, its repository, and its name in sentences."""

from pathlib import Path
from typing import Any

from alignment_api.names import HUB_PREFIX
from alignment_api.run_config import RunConfig
from alignment_api.spec.job import Model

from alignment_trainer.fetching.hub import HubRepository
from alignment_trainer.model_folder.documents import COPY, Unfit, read_object
from alignment_trainer.model_folder.fitness import CONFIGURATION
from alignment_trainer.workspace.paths import workspace_path

PARENT = "the model of the stage before"


def local_start(config: RunConfig) -> Path | None:
    """Return the folder of the weights that the stage starts from; None for a model of the Hub."""
    return Path(config.paths.parent_model) if config.paths.parent_model else local_base(config)


def local_base(config: RunConfig) -> Path | None:
    """Return the folder of the job's model; None for a model of the Hub."""
    uri = named_base(config)[1]
    return None if uri.startswith(HUB_PREFIX) else workspace_path(uri, config.paths.workspace)


def base_description(config: RunConfig) -> dict[str, Any] | None:
    """Return the config.json of the job's model; None for one of the Hub, or where it cannot be read: its own check says why."""
    folder = local_base(config)
    if folder is None or not (folder / CONFIGURATION).exists():
        return None
    try:
        return read_object(folder / CONFIGURATION, COPY)
    except Unfit:
        return None


def base_repository(config: RunConfig) -> HubRepository:
    """Return the repository of the job's model, which is one of the Hub."""
    model, uri = named_base(config)
    return HubRepository("model", uri, model.revision, base_name(uri))


def named_base(config: RunConfig) -> tuple[Model, str]:
    """Return the job's model and its uri, which a job has whose stages start from it."""
    model = config.spec.model
    assert model is not None and model.uri is not None
    return model, model.uri


def base_name(uri: str) -> str:
    """Return how a sentence names the job's model."""
    return f"spec.model.uri: {uri}"


def start_name(config: RunConfig) -> str:
    """Return how a sentence names the model that the stage starts from."""
    model = config.spec.model
    return PARENT if config.paths.parent_model or not model else base_name(str(model.uri))
