"""Appends lines to a file so that they survive a crash; lines that come together share one flush to the disk."""

import asyncio
import os
from pathlib import Path

from alignment_api.files import flush


class CommittedFile:
    """A file that only grows, for one writer."""

    def __init__(self, path: Path) -> None:
        # Unbuffered: what a crash leaves of a write is at most one torn line at the end.
        self._file = path.open("ab", buffering=0)
        flush(path.parent)
        self.size = self._file.tell()
        """Where the next line will begin."""
        self._lines: list[bytes] = []
        self._committed: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._error: OSError | None = None

    async def append(self, line: bytes) -> None:
        """Append a line, and return when it is on the disk."""
        self._lines.append(line)
        self.size += len(line)
        if self._committed is None:
            self._committed = asyncio.get_running_loop().create_future()
        committed = self._committed
        if self._task is None:
            self._task = asyncio.create_task(self._commit())
        # A caller that is cancelled must not cancel the lines of the others.
        await asyncio.shield(committed)

    async def _commit(self) -> None:
        while self._lines and self._committed:
            content, committed = b"".join(self._lines), self._committed
            self._lines, self._committed = [], None
            try:
                await asyncio.to_thread(self._write, content)
            except OSError as error:
                self._error = error
                committed.set_exception(error)
            else:
                committed.set_result(None)
        self._task = None

    def _write(self, content: bytes) -> None:
        if self._error:
            # The line that failed may be torn, and nothing may follow it in the same file.
            raise self._error
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            # An error of a write names no file.
            error.filename = self._file.name
            raise

    async def close(self) -> None:
        """Write what is left, and close the file."""
        if self._task:
            await self._task
        self._file.close()
