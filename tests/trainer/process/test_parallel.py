import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from alignment_trainer.failures import BadData, WorkerLost
from alignment_trainer.process.parallel import parallel_map


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("size", [0, 1, 31, 33, 1000])
def test_results_come_in_order(processes, size):
    factor = 3
    assert list(parallel_map(lambda item: item * factor, range(size), processes)) == [item * 3 for item in range(size)]


def test_worker_processes_do_the_work():
    assert os.getpid() not in set(parallel_map(lambda _: os.getpid(), range(100), 2))


@pytest.mark.parametrize("processes", [1, 2])
def test_a_failure_is_raised_unchanged(processes):
    def work(item):
        if item == 77:
            raise BadData("rows.jsonl:77: is broken")
        return item

    with pytest.raises(BadData, match=r"^rows.jsonl:77: is broken$"):
        list(parallel_map(work, range(1000), processes))


def test_few_items_are_read_ahead():
    read = []

    def items():
        for item in range(100_000):
            read.append(item)
            yield item

    results = parallel_map(lambda item: item, items(), 2)
    assert next(results) == 0
    assert len(read) < 1000
    results.close()


def test_a_killed_worker_is_a_failure_and_no_hang():
    def work(item):
        if item == 50:
            os.kill(os.getpid(), signal.SIGKILL)
        return item

    with pytest.raises(WorkerLost, match="a worker process that prepares rows was killed"):
        list(parallel_map(work, range(1000), 2))


def test_workers_end_when_their_parent_is_killed():
    program = (
        "import os, time\nfrom alignment_trainer.process.parallel import parallel_map\n"
        "for item in parallel_map(lambda item: (time.sleep(0.01), os.getpid())[1], range(100_000), 2):\n"
        "    print(item, flush=True)"
    )
    asking = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    working = int(asking.stdout.readline())
    asking.kill()
    asking.wait()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{working}/stat").exists() and Path(f"/proc/{working}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.05)
