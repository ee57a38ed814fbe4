"""Recognises a full volume in the errors of all libraries, and names the volume, its free bytes and the file; without torch."""

import errno
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from alignment_api.files import NO_ROOM
from jinja2 import TemplateError

from alignment_trainer.failures import DiskFull, RowFault, SharedMemoryFull, StageFailure

SHARED_MEMORY = Path("/dev/shm")
_CERTAIN = re.compile(
    r"no space left on device|disk quota exceeded|database or disk is full|not enough disk space[^\n]*",
    re.IGNORECASE,
)
_POSSIBLE = re.compile(
    r"PytorchStreamWriter failed writing|unexpected pos \d+ vs \d+|\d+ requested and \d+ written|No usable temporary directory"
)
"""What torch, numpy and tempfile say when a write fails for whatever reason: they discard the error number."""

_SHARED_MEMORY_WORDS = re.compile(r"/dev/shm|shared memory", re.IGNORECASE)
_REPEATED_BYTES = 1 << 20
_LITTLE_BYTES = 16 << 20
_LITTLE_SHARE = 0.05
_MOST_BLOCKS_IN_USE = 1 << 62
"""File systems without a size, such as some network file systems, report zero or about the largest number there is."""


ADVICE = "free some room or enlarge the volume; the stage tries again by itself"


class Sign(NamedTuple):
    """What an error says about a full volume."""

    words: str
    file: str | None
    is_certain: bool
    is_shared_memory: bool = False


class Room(NamedTuple):
    """The bytes of a volume that this user can still write, and all of them."""

    free: int
    total: int
    has_inodes: bool = True

    @property
    def is_used_up(self) -> bool:
        """Return whether next to nothing can be written."""
        return not self.has_inodes or self.free < min(_LITTLE_BYTES, self.total * _LITTLE_SHARE)


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, the outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def sign_of(error: BaseException) -> Sign | None:
    """Return what an error or one of its causes says about a full volume; None if it says nothing of it."""
    signs = [sign for each in _speaking_of_the_machine(error) if (sign := _sign(each))]
    return next((sign for sign in signs if sign.is_certain), signs[0] if signs else None)


def _speaking_of_the_machine(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, without those whose text may repeat words of a row, or a sentence of this module."""
    for each in causes_of(error):
        # Chat templates refuse rows in words of their own and of the row; what is behind both kinds is about the row too.
        if isinstance(each, RowFault | TemplateError):
            return
        if not isinstance(each, StageFailure):
            yield each


def _sign(error: BaseException) -> Sign | None:
    text, is_shared = str(error), bool(_SHARED_MEMORY_WORDS.search(str(error)))
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        # Of a copy, the second file is the one that is written.
        file = error.filename2 or error.filename
        return Sign(os.strerror(error.errno), file if isinstance(file, str) else None, True, is_shared)
    if found := _CERTAIN.search(text):
        return Sign(found[0], None, True, is_shared)
    return Sign(os.strerror(errno.ENOSPC), None, False, is_shared) if _POSSIBLE.search(text) else None


def disk_failure(error: BaseException, workspace: Path) -> StageFailure | None:
    """Return the failure of a stage that an error means if a full volume caused it; None if something else did."""
    sign = sign_of(error)
    if sign is None:
        return None
    place = _place(sign, workspace)
    if not sign.is_certain and not _refuses_bytes(place):
        return None
    if place == SHARED_MEMORY:
        return SharedMemoryFull(
            f"{SHARED_MEMORY}, the memory that the processes of a pod share, is full ({sign.words}): {free_of(place)}; "
            f"raise compute.sharedMemory, or end other programs that use it"
        )
    written = sign.file or "a file of the stage"
    return DiskFull(f"{named(place, workspace)} has no room for {written} ({sign.words}): {free_of(place)}; {ADVICE}")


def check_room_for(size: int, what: str, folder: Path) -> None:
    """Raise DiskFull if the volume of a folder has no room for something of a known size."""
    room = room_of(folder)
    # A volume that does not say its size must not stop a job.
    if room and size > room.free:
        raise DiskFull(f"the volume of {folder} has {amount(room.free)} free, and {what} needs {amount(size)}; {ADVICE}")


def named(place: Path, workspace: Path) -> str:
    """Return how sentences name the volume of a path."""
    is_workspace = place == workspace or _device(place) == _device(workspace)
    return f"the workspace volume ({workspace})" if is_workspace else f"the volume of {place}"


def room_of(path: Path) -> Room | None:
    """Return the room of the volume that holds a path; None if the volume does not say it."""
    try:
        found = os.statvfs(_existing(path))
    except OSError:
        return None
    if not 0 < found.f_blocks < _MOST_BLOCKS_IN_USE // max(1, found.f_frsize) or found.f_bavail > found.f_blocks:
        return None
    has_inodes = found.f_files == 0 or found.f_favail > 0
    return Room(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, has_inodes)


def amount(size: int) -> str:
    """Return a number of bytes as people read it."""
    for unit, factor in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1000:.0f} kB"


def free_of(place: Path) -> str:
    """Return in words how much of a volume is free."""
    room = room_of(place)
    if room is None:
        return "it does not say how much is free"
    if not room.has_inodes:
        return "it has no inode left for another file"
    return f"{amount(room.free)} of {amount(room.total)} are free"


def _place(sign: Sign, workspace: Path) -> Path:
    """Return where a write failed; a write to an open file names no path, so it is the first volume that is used up."""
    if sign.is_shared_memory:
        return SHARED_MEMORY
    if sign.file and Path(sign.file).is_absolute():
        return _existing(Path(sign.file))
    candidates = (workspace, *_temporary_folders(), SHARED_MEMORY)
    full = (place for place in candidates if (room := room_of(place)) and room.is_used_up)
    return next(full, workspace)


def _temporary_folders() -> Iterator[Path]:
    # Where all of them are full, tempfile finds none.
    yield Path(tempfile.tempdir or os.environ.get("TMPDIR") or "/tmp")


def _refuses_bytes(place: Path) -> bool:
    room = room_of(place)
    return bool(room and room.is_used_up) or not _takes_bytes(_existing(place))


def _takes_bytes(folder: Path) -> bool:
    """Check by a write, since some volumes show no quota."""
    try:
        with tempfile.TemporaryFile(dir=folder if folder.is_dir() else folder.parent, buffering=0) as file:
            file.write(bytes(_REPEATED_BYTES))
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno not in NO_ROOM
    return True


def _existing(path: Path) -> Path:
    return next((each for each in (path, *path.parents) if each.exists()), Path("/"))


def _device(path: Path) -> int:
    return _existing(path).stat().st_dev
