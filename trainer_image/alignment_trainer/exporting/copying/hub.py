"""Copies an exported folder to the Hub, in one commit: a repository has the old files or the new ones."""

import os
from pathlib import Path

from alignment_api.names import HUB_PREFIX
from alignment_api.problems import first_line
from alignment_api.run_config import Paths

from alignment_trainer.failures import BadConfiguration
from alignment_trainer.fetching.hub import token_of
from alignment_trainer.fetching.retries import with_retries
from alignment_trainer.workspace.activity import advancing


def copy(folder: Path, uri: str, paths: Paths) -> None:
    """Upload the folder; a repository that does not exist yet is made, as a private one."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    # The library reads the variable only once.
    api, name = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token_of(paths)), uri.removeprefix(HUB_PREFIX)
    with advancing(f"copying to {uri}", None, "bytes"):
        try:
            with_retries(uri, lambda: api.create_repo(name, private=True, exist_ok=True), "written")
            # The library makes no commit where nothing has changed.
            with_retries(
                uri,
                lambda: api.upload_folder(
                    repo_id=name, folder_path=folder, commit_message="Export of an alignment job", delete_patterns="*"
                ),
                "written",
            )
        except (HfHubHTTPError, ValueError) as error:
            raise BadConfiguration(
                f"{uri} cannot be written ({first_line(error)}); check its name, and whether the token of spec.hubTokenSecret "
                f"may write there"
            ) from error
