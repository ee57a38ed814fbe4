"""Finds the files of a job's tokenizer, without downloading its weights; without torch."""

from pathlib import Path

from alignment_api.names import HUB_PREFIX
from alignment_api.run_config import RunConfig

from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.fetching.hub import HubRepository, download_tokenizer
from alignment_trainer.model_folder.documents import Unfit
from alignment_trainer.model_folder.tokenizer_files import check_tokenizer
from alignment_trainer.workspace.paths import workspace_path


def tokenizer_folder(config: RunConfig) -> Path:
    """Return the folder of the tokenizer of the job's model, which later stages save with their weights."""
    model = config.spec.model
    assert model is not None and model.uri is not None
    field = f"spec.model.uri: {model.uri}"
    if model.uri.startswith(HUB_PREFIX):
        return download_tokenizer(HubRepository("model", model.uri, model.revision, field), config.paths)
    folder = workspace_path(model.uri, config.paths.workspace)
    if not folder.is_dir():
        raise BadData(f"{field} is not a folder on the workspace volume; copy the model there or correct the path")
    # Only the tokenizer: rows can be shown before the weights are there.
    try:
        check_tokenizer(folder, config={})
    except Unfit as unfit:
        raise BadConfiguration(f"{field} {unfit}") from None
    return folder
