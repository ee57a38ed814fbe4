"""The paths of workspace:// URIs."""

from pathlib import Path

from alignment_api.names import WORKSPACE_PREFIX


def workspace_path(uri: str, workspace: str) -> Path:
    """Return the path on the workspace volume that a workspace:// URI names."""
    return Path(workspace) / uri.removeprefix(WORKSPACE_PREFIX)
