"""Which chat template the model has that a stage starts from, as far as it is on the volume."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from alignment_api.names import WORKSPACE_PREFIX
from alignment_api.run_config import RunConfig
from alignment_api.spec.lineage import parent_of

from alignment_trainer.failures import BadConfiguration
from alignment_trainer.model_folder.chat_template import Named, read_chat_template, read_source
from alignment_trainer.model_folder.documents import Unfit
from alignment_trainer.settings.given import given
from alignment_trainer.templates.named import NAMED
from alignment_trainer.workspace.paths import workspace_path

_Found = TypeVar("_Found")


def own_template(config: RunConfig) -> Named | None:
    """Read the model's own template; None if the job names another one, or the model is not on the volume yet."""
    folder = _own_folder(config)
    return None if folder is None else _read(read_chat_template, folder)


def lacks_template(config: RunConfig) -> bool:
    """Return whether a stage certainly cannot write dialogues."""
    folder = _own_folder(config)
    return folder is not None and _read(read_source, folder) is None


def _read(read: Callable[[Path], _Found], folder: Path) -> _Found:
    try:
        return read(folder)
    except Unfit as unfit:
        raise BadConfiguration(f"{folder} {unfit}") from None


def _own_folder(config: RunConfig) -> Path | None:
    """Return the folder of the model whose own template a stage uses, if it is on the volume."""
    model = given(config.spec.model, "spec.model")
    named = given(model.chat_template, "spec.model.chatTemplate") in NAMED
    folder = None if named else _folder(config)
    return folder if folder and folder.is_dir() else None


def _folder(config: RunConfig) -> Path | None:
    """Return the folder whose template a stage uses: a stage passes the template of its model on to the next one."""
    if config.paths.parent_model and parent_of(config.spec, config.stage) is not None:
        return Path(config.paths.parent_model)
    uri = config.spec.model.uri if config.spec.model else None
    if uri is None or not uri.startswith(WORKSPACE_PREFIX):
        return None
    return workspace_path(uri, config.paths.workspace)
