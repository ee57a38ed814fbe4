"""Runs one program that a model wrote, in a confined process with limits, and tells whether it came to its end."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO, NamedTuple

from alignment_trainer.evaluation.programs import confinement

_SCRIPT = confinement.__file__
_TAIL_BYTES = 4096
_LOOK_SECONDS = 0.05
_BLOCK_BYTES = 4096
"""What a file or a folder takes of a disk at least."""


class Limits(NamedTuple):
    """What one program may use."""

    processor_seconds: int = 5
    wall_seconds: int = 30
    memory: int = 1 << 30
    file_bytes: int = 1 << 20
    folder_bytes: int = 1 << 24
    processes: int = 16


class Trial(NamedTuple):
    """How a program ended."""

    passed: bool
    reason: str | None = None
    """Why it did not pass."""


def tried(program: str, limits: Limits = Limits()) -> Trial:  # noqa: B008
    """Run a program; it passes only if it comes to its end, after which its process prints a token that it does not know."""
    token = secrets.token_hex(16)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(_folder())
        source, output, errors = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        source.write(f"{token}{program}\n".encode())
        source.seek(0)
        ended = _ended(limits, source, output, errors, folder)
        if token.encode() in _tail(output, limits.file_bytes):
            return Trial(True)
        return Trial(False, _reason(ended, limits, _tail(errors, _TAIL_BYTES).decode(errors="replace")))


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="program-"))
    try:
        yield path
    finally:
        # Python's own way ends with a RecursionError in folders that are deep enough.
        subprocess.run(["rm", "-rf", "--", path], stderr=subprocess.DEVNULL, check=False)


@cache
def fault() -> str | None:
    """Return why programs must not run here: what one could do, as this kernel leaves it open; found out by trying, once."""
    found = openings()
    if found:
        return f"a program can {' and '.join(found)}"
    plain = tried("")
    return None if plain.passed else f"a process cannot confine itself ({plain.reason})"


def openings() -> list[str]:
    """Return what programs can do here that they should not."""
    with tempfile.NamedTemporaryFile() as outside:
        found = {"read files outside of their folder": f"open({outside.name!r})", **_OPENINGS}
        return [words for words, program in found.items() if tried(program).passed]


def _ended(limits: Limits, source: IO[bytes], output: IO[bytes], errors: IO[bytes], folder: Path) -> int | str:
    """Return the exit code of the process, negative for a signal; or why it was stopped."""
    arguments = (limits.processor_seconds, limits.memory, limits.file_bytes, limits.processes)
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", _SCRIPT, *map(str, arguments)],
        stdin=source,
        stdout=output,
        stderr=errors,
        cwd=folder,
        env={},
        start_new_session=True,
    )
    try:
        return _watched(process, limits, folder)
    finally:
        # Also after its end: a child may have been left behind. None can leave the group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _watched(process: subprocess.Popen[bytes], limits: Limits, folder: Path) -> int | str:
    deadline = time.monotonic() + limits.wall_seconds
    while time.monotonic() < deadline:
        try:
            return process.wait(_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if not _fits(folder, limits.folder_bytes):
                return f"was stopped when its files took more than {limits.folder_bytes >> 20} MiB"
    return f"was stopped after {limits.wall_seconds} s"


def _fits(folder: Path, most: int) -> bool:
    """Return whether a folder takes no more than so much; one that is too deep or closed to be read may hide anything."""
    left = [str(folder)]
    while left and most >= 0:
        try:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    most -= _BLOCK_BYTES + entry.stat(follow_symlinks=False).st_size
                    left += [entry.path] if entry.is_dir(follow_symlinks=False) else []
        except FileNotFoundError:
            # The program has removed it since.
            continue
        except OSError:
            return False
    return most >= 0


def _tail(file: IO[bytes], most: int) -> bytes:
    file.seek(max(0, file.seek(0, os.SEEK_END) - most))
    return file.read(most)


def _reason(ended: int | str, limits: Limits, errors: str) -> str:
    if isinstance(ended, str):
        return ended
    if ended in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"was stopped after {limits.processor_seconds} s of processor time"
    if ended < 0:
        return f"was ended by {signal.Signals(-ended).name}"
    said = next(_last_lines(errors), "") if ended else ""
    return said[:200] or f"exited with {ended} before its tests were over"


def _last_lines(text: str) -> Iterator[str]:
    return (line.strip() for line in reversed(text.splitlines()) if line.strip())


_OPENINGS = {
    "open network connections": "import socket\nsocket.socket()",
    "start processes": "import os\nif os.fork() == 0: os._exit(0)",
    "write files outside of their folder": (
        "import os\nos.chdir('..')\nname = f'opening-{os.getpid()}'\nopen(name, 'x')\nos.remove(name)"
    ),
    "change other processes": "import os\nos.sched_setaffinity(os.getppid(), os.sched_getaffinity(os.getppid()))",
}
