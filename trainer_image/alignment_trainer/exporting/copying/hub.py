"""Copies an exported folder to the Hub, in one commit: a repository has the old files or the new ones."""

from pathlib import Path

from alignment_api.names import HUB_PREFIX
from alignment_api.run_config import Paths

from alignment_trainer.checks.destinations import exported_on_hub, hub_api, writing_to_hub
from alignment_trainer.fetching.retries import with_retries
from alignment_trainer.workspace.activity import working


def copy(folder: Path, uri: str, paths: Paths) -> None:
    """Upload the folder; a repository that does not exist yet is made, as a private one."""
    api, name = hub_api(paths), uri.removeprefix(HUB_PREFIX)
    with working(f"copying to {uri}"), writing_to_hub(uri):
        with_retries(uri, lambda: api.create_repo(name, private=True, exist_ok=True), "written")
        old = with_retries(uri, lambda: exported_on_hub(api, uri), "written")
        # The library makes no commit where nothing has changed.
        with_retries(
            uri,
            lambda: api.upload_folder(
                repo_id=name, folder_path=folder, commit_message="Export of an alignment job", delete_patterns=old or None
            ),
            "written",
        )
