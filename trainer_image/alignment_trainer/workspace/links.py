"""Links on the workspace volume: those to system files, which include the pod's Secrets and are never data, and hard links."""

import tempfile
from pathlib import Path

from alignment_api.files import NO_ROOM

_SYSTEM_FOLDERS = tuple(Path(folder) for folder in ("/etc", "/proc", "/sys", "/dev", "/run", "/var/run"))


def system_file(path: Path) -> Path | None:
    """Return the system file that a path links to, or that a file in the folder at this path links to."""
    files = [path, *sorted(path.iterdir())] if path.is_dir() else [path]
    targets = (file.resolve() for file in files)
    return next((found for found in targets if any(found.is_relative_to(folder) for folder in _SYSTEM_FOLDERS)), None)


def takes_hard_links(folder: Path) -> bool:
    """Check whether a file in a folder can get a second name; on some volumes it needs a copy."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".link.") as file:
            return _takes_second_name(Path(file.name))
    except OSError:
        # The folder takes no file at all, as on a full volume, which says nothing of links.
        return True


def _takes_second_name(file: Path) -> bool:
    second = file.with_name(f"{file.name}.again")
    try:
        second.hardlink_to(file)
    except OSError as error:
        return error.errno in NO_ROOM
    second.unlink()
    return True
