"""Finds links on the workspace volume to system files, which include the pod's Secrets and are never data."""

from pathlib import Path

_SYSTEM_FOLDERS = tuple(Path(folder) for folder in ("/etc", "/proc", "/sys", "/dev", "/run", "/var/run"))


def system_file(path: Path) -> Path | None:
    """Return the system file that a path links to, or that a file in the folder at this path links to."""
    files = [path, *sorted(path.iterdir())] if path.is_dir() else [path]
    targets = (file.resolve() for file in files)
    return next((found for found in targets if any(found.is_relative_to(folder) for folder in _SYSTEM_FOLDERS)), None)
