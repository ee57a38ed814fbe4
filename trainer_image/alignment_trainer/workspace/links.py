"""Links on the workspace volume that lead to the system's own files: a pod's Secrets are among these, and no data."""

from pathlib import Path

_SYSTEM_FOLDERS = tuple(Path(folder) for folder in ("/etc", "/proc", "/sys", "/dev", "/run", "/var/run"))


def system_file(path: Path) -> Path | None:
    """Give the system's file that a path, or a file of the folder that it names, leads to."""
    files = [path, *sorted(path.iterdir())] if path.is_dir() else [path]
    leads = (file.resolve() for file in files)
    return next((found for found in leads if any(found.is_relative_to(folder) for folder in _SYSTEM_FOLDERS)), None)
