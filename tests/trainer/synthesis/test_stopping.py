"""Work that asks servers hands SIGTERM back to who listened before, such as a stage that goes on afterwards."""

import signal
from pathlib import Path

import pytest
from alignment_trainer.failures import Stopped
from alignment_trainer.synthesis.stopping import StoppableAsking, run_until_stopped
from asked_stages import a_stage


async def ends(asking: StoppableAsking) -> str:
    return "done"


async def is_stopped(asking: StoppableAsking) -> str:
    raise Stopped("on request")


def test_the_handler_from_before_is_back(tmp_path: Path) -> None:
    def own(number: int, frame: object) -> None:
        """Do nothing."""

    config, before = a_stage(tmp_path, "http://127.0.0.1:9/v1"), signal.signal(signal.SIGTERM, own)
    try:
        assert run_until_stopped(config, ends) == "done"
        assert signal.getsignal(signal.SIGTERM) is own
        with pytest.raises(Stopped):
            run_until_stopped(config, is_stopped)
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)
