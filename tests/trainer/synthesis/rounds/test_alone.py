"""The first process works while the others wait: two real processes, woken more often than in a real stage."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from forked_ranks import place, run_program
from ports import free_port

PROGRAM = """
import sys, time
from pathlib import Path
from accelerate import PartialState
from alignment_trainer.synthesis.rounds.alone import on_first_process, shared
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
