"""Copies an exported folder to another place on the workspace volume."""

import shutil
from pathlib import Path

from alignment_api.run_config import Paths

from alignment_trainer.failures import BadConfiguration
from alignment_trainer.model_folder.copies import LIST_FILE, FileList, is_export, read_list
from alignment_trainer.training.publishing import publish_folder
from alignment_trainer.workspace.activity import advancing
from alignment_trainer.workspace.paths import workspace_path


def copy(folder: Path, listed: FileList, uri: str, paths: Paths) -> None:
    """Copy the folder beside its name there, and give it the name when it is whole."""
    target = workspace_path(uri, paths.workspace)
    known = target / LIST_FILE
    if known.exists() and read_list(known.read_text(encoding="utf-8")) == listed:
        return
    if target.exists() and not is_export(target):
        raise BadConfiguration(f"{uri} exists and was not exported, so it would be lost; name another folder")

    def write(staged: Path) -> None:
        with advancing(f"copying to {uri}", sum(file.size for file in listed.files.values()), "bytes") as advance:
            for name, file in listed.files.items():
                (staged / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, staged / name)
                advance(file.size)
        shutil.copyfile(folder / LIST_FILE, staged / LIST_FILE)

    publish_folder(target, write)
