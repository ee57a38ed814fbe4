"""Copies an exported folder to each of its destinations, the list of its files last."""

from pathlib import Path

from alignment_api.files import write_whole
from alignment_api.names import BUCKET_PREFIX, HUB_PREFIX
from alignment_api.run_config import RunConfig

from alignment_trainer.exporting.copying import bucket, hub, workspace
from alignment_trainer.model_folder.copies import LIST_FILE, FileList, list_files


def copy_everywhere(config: RunConfig, folder: Path, weights: str, destinations: list[str]) -> None:
    """Copy the folder; what is at a destination already is not copied again."""
    listed = list_files(folder, weights)
    write_whole(folder / LIST_FILE, listed.model_dump_json(indent=1))
    for uri in destinations:
        _copy(config, folder, listed, uri)


def _copy(config: RunConfig, folder: Path, listed: FileList, uri: str) -> None:
    if uri.startswith(HUB_PREFIX):
        hub.copy(folder, uri, config.paths)
    elif uri.startswith(BUCKET_PREFIX):
        bucket.copy(folder, listed, uri, config.paths)
    else:
        workspace.copy(folder, listed, uri, config.paths)
