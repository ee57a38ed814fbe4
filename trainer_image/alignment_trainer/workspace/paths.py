"""Where things of the workspace volume are."""

from pathlib import Path

from alignment_api.names import WORKSPACE_PREFIX


def workspace_path(uri: str, workspace: str) -> Path:
    """Find what a workspace:// uri names."""
    return Path(workspace) / uri.removeprefix(WORKSPACE_PREFIX)
