"""A local run on a full disk: it waits, and says for what."""

import asyncio
import errno
import io
import os

import pytest
from alignment_api.home import Home
from alignment_operator.deciding.observation import Key
from alignment_operator.machine import run
from alignment_operator.machine.terminal import TerminalView
from alignment_operator.machine.world import LocalCluster
from rich.console import Console

JOB = Key("team", "job")


def reconcile_with(monkeypatch: pytest.MonkeyPatch, number: int | None, *names: str) -> None:
    async def reconcile(*_: object) -> None:
        if number:
            raise OSError(number, os.strerror(number), *names)

    monkeypatch.setattr(run, "reconcile", reconcile)


@pytest.mark.parametrize(
    ("number", "names", "said"),
    [
        (None, (), None),
        (
            errno.ENOSPC,
            ("/home/objects/job.json",),
            "/home/objects/job.json could not be written (No space left on device); waiting",
        ),
        (errno.EDQUOT, (), "{} could not be written (Disk quota exceeded); waiting until there is room for it"),
    ],
)
def test_a_run_without_room_for_its_own_files_waits(
    tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch, number: int | None, names: tuple[str, ...], said: str | None
) -> None:
    cluster = LocalCluster(Home(tmp_path))
    reconcile_with(monkeypatch, number, *names)
    found = asyncio.run(run._reconcile(cluster, run.local_settings(cluster), JOB))
    assert (found is None) == (said is None)
    assert said is None or (found or "").startswith(said.format(cluster.home.root))


def test_other_errors_end_the_run(tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = LocalCluster(Home(tmp_path))
    reconcile_with(monkeypatch, errno.EACCES)
    with pytest.raises(PermissionError):
        asyncio.run(run._reconcile(cluster, run.local_settings(cluster), JOB))


def test_what_is_waited_for_is_printed_once() -> None:
    output = io.StringIO()
    with TerminalView(Console(file=output)) as view:
        for sentence in ("no room for a", "no room for a", None, "no room for b", None):
            view.note(sentence)
    assert output.getvalue().splitlines() == ["no room for a", "no room for b"]
