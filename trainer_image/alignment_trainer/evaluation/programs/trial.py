"""Runs one program that a model wrote, in a confined process with limits, and tells whether it came to its end."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

from alignment_trainer.evaluation.programs import confinement

_SCRIPT = confinement.__file__
_TAIL_BYTES = 4096


class Limits(NamedTuple):
    """What one program may use."""

    processor_seconds: int = 5
    wall_seconds: int = 30
    memory: int = 1 << 30
    file_bytes: int = 1 << 20
    processes: int = 16


class Trial(NamedTuple):
    """How a program ended."""

    passed: bool
    reason: str | None = None
    """Why it did not pass."""


def tried(program: str, limits: Limits = Limits()) -> Trial:  # noqa: B008
    """Run a program; it passes only if it reaches its last line, which prints a token that it cannot know before."""
    token = secrets.token_hex(16)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="program-", ignore_cleanup_errors=True))
        source, output, errors = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        source.write(f"{program}\n\n__import__('os').write(1, b'{token}')\n".encode())
        source.seek(0)
        ended = _ended(limits, source, output, errors, Path(folder))
        if token.encode() in _tail(output, limits.file_bytes):
            return Trial(True)
        return Trial(False, _reason(ended, limits, _tail(errors, _TAIL_BYTES).decode(errors="replace")))


def openings() -> list[str]:
    """Return what programs can do here that they should not, as this kernel leaves it open; found out by trying."""
    return [words for words, program in _OPENINGS if tried(program).passed]


def _ended(limits: Limits, source: IO[bytes], output: IO[bytes], errors: IO[bytes], folder: Path) -> int | None:
    """Return the exit code of the process, negative for a signal; None if it ran too long."""
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
        return process.wait(limits.wall_seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        # Also after its end: a child may have been left behind. None can leave the group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(file: IO[bytes], most: int) -> bytes:
    file.seek(max(0, file.seek(0, os.SEEK_END) - most))
    return file.read(most)


def _reason(ended: int | None, limits: Limits, errors: str) -> str:
    if ended is None:
        return f"was stopped after {limits.wall_seconds} s"
    if ended in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"was stopped after {limits.processor_seconds} s of processor time"
    if ended < 0:
        return f"was ended by {signal.Signals(-ended).name}"
    said = next(_last_lines(errors), "") if ended else ""
    return said[:200] or f"exited with {ended} before its tests were over"


def _last_lines(text: str) -> Iterator[str]:
    return (line.strip() for line in reversed(text.splitlines()) if line.strip())


_OPENINGS = (
    ("open network connections", "import socket\nsocket.socket()"),
    ("start processes", "import os\nif os.fork() == 0: os._exit(0)"),
    (
        "write files outside of their folder",
        "import os\nos.chdir('..')\nname = f'opening-{os.getpid()}'\nopen(name, 'x')\nos.remove(name)",
    ),
)
