"""Kinds that are installed only after the operator has started."""

import asyncio

import pytest
from alignment_operator import __main__ as module
from alignment_operator.cluster.health import Health
from alignment_operator.deciding.observation import Key
from alignment_operator.queue import Queue


class LateCluster:
    """A cluster that knows all kinds from the second list on."""

    def __init__(self) -> None:
        self.missing_kinds = {"PyTorchJob"}
        self.lists = [{Key("team", "early")}, {Key("team", "late")}]

    async def relist(self) -> set[Key]:
        if len(self.lists) == 1:
            self.missing_kinds.clear()
        return self.lists.pop(0)


def test_the_operator_restarts_once_all_kinds_are_known_and_loses_no_listed_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_LOOK_FOR_KINDS_SECONDS", 0)

    async def work(key: Key) -> None:
        raise AssertionError("no worker runs here")

    async def wait() -> int:
        queue = Queue(work)
        with pytest.raises(module._Ended):
            await module._await_kinds(LateCluster(), queue, Health())
        return len(queue)

    assert asyncio.run(wait()) == 2
