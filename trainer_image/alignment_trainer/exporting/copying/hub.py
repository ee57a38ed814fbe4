"""Copies an exported folder to the Hub, in one commit: a repository has the old files or the new ones."""

import os
from pathlib import Path
from typing import Any

from alignment_api.names import HUB_PREFIX
from alignment_api.problems import first_line
from alignment_api.run_config import Paths

from alignment_trainer.failures import BadConfiguration
from alignment_trainer.fetching.hub import token_of
from alignment_trainer.fetching.retries import with_retries
from alignment_trainer.model_folder.copies import LIST_FILE, read_list
from alignment_trainer.workspace.activity import advancing

_MADE_BY_THE_HUB = ".gitattributes"


def copy(folder: Path, uri: str, paths: Paths) -> None:
    """Upload the folder; a repository that does not exist yet is made, as a private one."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    # The library reads the variable only once.
    api, name = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token_of(paths)), uri.removeprefix(HUB_PREFIX)
    with advancing(f"copying to {uri}", None, "bytes"):
        try:
            with_retries(uri, lambda: api.create_repo(name, private=True, exist_ok=True), "written")
            old = with_retries(uri, lambda: _exported(api, name, uri), "written")
            # The library makes no commit where nothing has changed.
            with_retries(
                uri,
                lambda: api.upload_folder(
                    repo_id=name, folder_path=folder, commit_message="Export of an alignment job", delete_patterns=old or None
                ),
                "written",
            )
        except (HfHubHTTPError, ValueError) as error:
            raise BadConfiguration(
                f"{uri} cannot be written ({first_line(error)}); check its name, and whether the token of spec.hubTokenSecret "
                f"may write there"
            ) from error


def _exported(api: Any, name: str, uri: str) -> list[str]:
    """Return the files of an older export; refuse a repository with files that none wrote."""
    files = set(api.list_repo_files(name)) - {_MADE_BY_THE_HUB}
    known = read_list(Path(api.hf_hub_download(name, LIST_FILE)).read_text(encoding="utf-8")) if LIST_FILE in files else None
    if files and known is None:
        raise BadConfiguration(f"{uri} has files and was not exported, so they would be lost; name another repository")
    return sorted(known.files) if known else []
