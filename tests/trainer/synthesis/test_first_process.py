"""The first process works while the others wait: two real processes, woken more often than in a real stage."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from forked_ranks import place, run_program
from ports import free_port

PROGRAM = """
import sys, time
from pathlib import Path
from accelerate import PartialState
from alignment_trainer.synthesis.first_process import on_first_process, shared
folder, fails = ARGUMENTS

def work():
    time.sleep(0.5)
    if fails:
        sys.exit(3)
    (Path(folder) / "done").touch()

PartialState(cpu=True)
on_first_process(work, every_seconds=0.1)
assert (Path(folder) / "done").exists()
assert shared(lambda: PartialState().process_index) == 0
"""


@pytest.mark.parametrize("fails", [False, True])
def test_the_others_return_when_the_first_is_done_and_fail_when_it_fails(tmp_path, fails):
    port = free_port()

    def run(rank):
        return run_program(PROGRAM, (str(tmp_path), fails), place(rank, 2, port), tmp_path / f"{rank}.log", 120)

    with ThreadPoolExecutor(2) as pool:
        codes = list(pool.map(run, range(2)))
    assert [code != 0 for code in codes] == [fails, fails], [(tmp_path / f"{rank}.log").read_text() for rank in range(2)]


LOST = """
import asyncio, os, signal, threading
from pathlib import Path
from accelerate import PartialState
from alignment_trainer.failures import Stopped
from alignment_trainer.synthesis.first_process import on_first_process
(folder,) = ARGUMENTS

async def ask():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await asyncio.wait_for(stop.wait(), 60)
    (Path(folder) / "stopped").touch()
    raise Stopped("on request")

PartialState(cpu=True)
if not PartialState().is_main_process:
    threading.Timer(0.5, os._exit, (3,)).start()
try:
    on_first_process(lambda: asyncio.run(ask()), every_seconds=0.1)
except Stopped:
    raise
except Exception:
    (Path(folder) / "lost").touch()
"""


def test_the_first_process_stops_asking_when_another_is_lost_and_says_so(tmp_path):
    port = free_port()

    def run(rank):
        return run_program(LOST, (str(tmp_path),), place(rank, 2, port), tmp_path / f"{rank}.log", 120)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, range(2)))
    found = {path.name for path in tmp_path.iterdir()}
    assert {"stopped", "lost"} <= found, (tmp_path / "0.log").read_text()
