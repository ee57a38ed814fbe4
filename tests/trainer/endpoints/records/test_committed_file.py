"""Lines that survive a crash, many with one flush."""

import asyncio
import os
from pathlib import Path

import pytest
from alignment_api.files import without_torn_line
from alignment_trainer.endpoints.records.committed_file import CommittedFile


def test_lines_that_come_together_share_a_flush(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushes = []
    monkeypatch.setattr(os, "fsync", flushes.append)

    async def run() -> None:
        file = CommittedFile(tmp_path / "lines")
        flushes.clear()
        await asyncio.gather(*(file.append(b"%d\n" % number) for number in range(500)))
        await file.close()

    asyncio.run(run())
    assert (tmp_path / "lines").read_bytes() == b"".join(b"%d\n" % number for number in range(500))
    assert 1 <= len(flushes) <= 3


def test_a_line_is_on_the_disk_when_append_returns(tmp_path: Path) -> None:
    async def run() -> None:
        file = CommittedFile(tmp_path / "lines")
        for number in range(3):
            start = file.size
            await file.append(b"line %d\n" % number)
            assert (tmp_path / "lines").read_bytes()[start:] == b"line %d\n" % number
        await file.close()

    asyncio.run(run())


def test_a_caller_that_is_cancelled_loses_no_line_of_the_others(tmp_path: Path) -> None:
    async def run() -> None:
        file = CommittedFile(tmp_path / "lines")
        hurried = asyncio.create_task(file.append(b"1\n"))
        await asyncio.sleep(0)
        hurried.cancel()
        await file.append(b"2\n")
        await file.close()

    asyncio.run(run())
    assert (tmp_path / "lines").read_bytes() == b"1\n2\n"


def test_all_who_wait_get_the_error_of_a_full_disk() -> None:
    async def run() -> list[BaseException | None]:
        file = CommittedFile(Path("/dev/full"))
        return await asyncio.gather(*(file.append(b"1\n") for _ in range(3)), return_exceptions=True)

    assert [str(error) for error in asyncio.run(run())] == ["[Errno 28] No space left on device: '/dev/full'"] * 3


def test_nothing_follows_a_line_that_a_full_disk_has_torn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_full(_: int) -> None:
        raise OSError(28, "No space left on device")

    async def run() -> None:
        file = CommittedFile(tmp_path / "lines")
        await file.append(b"1\n")
        with monkeypatch.context() as full:
            full.setattr(os, "fsync", is_full)
            with pytest.raises(OSError, match="No space left"):
                await file.append(b"torn")
        with pytest.raises(OSError, match="No space left"):
            await file.append(b"2\n")
        await file.close()

    asyncio.run(run())
    without_torn_line(tmp_path / "lines")
    assert (tmp_path / "lines").read_bytes() == b"1\n"
