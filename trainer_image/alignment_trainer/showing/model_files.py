"""Finds the files of a job's tokenizer, without downloading its weights; without torch."""

from pathlib import Path

from alignment_api.run_config import RunConfig

from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.fetching.hub import download_tokenizer
from alignment_trainer.model_folder.documents import Unfit
from alignment_trainer.model_folder.start import base_name, base_repository, local_base, named_base
from alignment_trainer.model_folder.tokenizer_files import check_tokenizer


def tokenizer_folder(config: RunConfig) -> Path:
    """Return the folder of the tokenizer of the job's model, which later stages save with their weights."""
    folder = local_base(config)
    if folder is None:
        return download_tokenizer(base_repository(config), config.paths)
    field = base_name(named_base(config)[1])
    if not folder.is_dir():
        raise BadData(f"{field} is not a folder on the workspace volume; copy the model there or correct the path")
    # Only the tokenizer: rows can be shown before the weights are there.
    try:
        check_tokenizer(folder, config={})
    except Unfit as unfit:
        raise BadConfiguration(f"{field} {unfit}") from None
    return folder
