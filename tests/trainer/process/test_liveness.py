import os
import subprocess
import sys

import pytest
from alignment_trainer.process.liveness import Identity, Liveness, Work, descendants, has_worked, read_processes

ROOT, RANK = Identity(1, 5), Identity(20, 9)
IDLE = Work(1, 10.0, 1000, 10_000)


@pytest.mark.parametrize(
    ("situation", "after", "works"),
    [
        ("nothing", IDLE, False),
        ("a launcher that waits for other nodes", Work(1, 10.15, 1000, 50_000), False),
        ("a process that only looks around", Work(1, 10.05, 1003, 10_500), False),
        ("a step on a twentieth of a core", Work(1, 10.5, 1000, 10_000), True),
        ("libraries load on a hundredth of a core", Work(1, 10.1, 1900, 10_000), True),
        ("weights are read from a slow disk", Work(1, 10.05, 1000, 4_000_000), True),
    ],
)
def test_what_counts_as_work(situation, after, works):
    assert has_worked({RANK: IDLE}, {RANK: after}) == works, situation


def test_a_new_process_counts_from_zero_even_with_a_reused_id():
    assert has_worked({RANK: Work(1, 500.0, 10**6, 10**9)}, {Identity(20, 10): Work(1, 1.0, 0, 0)})
    assert not has_worked({RANK: Work(1, 500.0, 10**6, 10**9)}, {})


def test_descendants_are_found_however_deep():
    tree = {Identity(number, 0): Work(parent, 0, 0, 0) for number, parent in [(1, 0), (2, 1), (3, 2), (4, 9), (9, 0)]}
    assert {identity.number for identity in descendants(tree, 1)} == {1, 2, 3}


def test_the_time_stays_while_no_process_works():
    liveness = Liveness(1)
    liveness.look(0, {ROOT: Work(0, 1.0, 0, 0), RANK: IDLE})
    began = liveness.time
    liveness.look(2, {ROOT: Work(0, 1.0, 0, 0), RANK: IDLE})
    assert liveness.time == began
    liveness.look(4, {ROOT: Work(0, 1.0, 0, 0), RANK: Work(1, 10.2, 1000, 0)})
    liveness.look(6, {ROOT: Work(0, 1.0, 0, 0), RANK: Work(1, 10.4, 1000, 0)})
    assert liveness.time > began
    worked = liveness.time
    for second in range(18, 60, 2):
        liveness.look(second, {ROOT: Work(0, 1.0, 0, 0), RANK: Work(1, 10.4, 1000, 0)})
    assert liveness.time == worked


def test_a_waiting_supervisor_does_not_count_as_work():
    for counts_root in (True, False):
        liveness = Liveness(1)
        liveness.counts_root = counts_root
        began = liveness.time
        liveness.look(0, {ROOT: Work(0, 1.0, 0, 0)})
        liveness.look(2, {ROOT: Work(0, 2.0, 0, 0)})
        assert (liveness.time > began) == counts_root


def test_the_kernels_counters_are_read():
    program = "import sys\nprint('busy' * (1 << 20) != '', flush=True)\nsys.stdin.read()"
    child = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout.readline()
    seen = {identity.number: work for identity, work in descendants(read_processes(), os.getpid()).items()}
    assert seen[child.pid].parent == os.getpid()
    assert seen[child.pid].faults > 100 and seen[child.pid].bytes > 10_000
    child.communicate()
