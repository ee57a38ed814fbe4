"""What happens to a process whose parent is killed, and when."""

import subprocess
import sys

import pytest

CHILD = """
import os, signal, sys, time
from alignment_trainer.process.lifeline import stopping_with

def stop(*_):
    raise KeyboardInterrupt

signal.signal(signal.SIGTERM, stop)
try:
    with stopping_with({parent}):
        print("checking", flush=True)
        {work}
    print("training", flush=True)
    sys.stdin.readline()
    print("trained", flush=True)
except KeyboardInterrupt:
    print("stopped", flush=True)
"""
PARENT = """
import os, subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1].format(parent={parent}, work=sys.argv[2])])
"""


def started(work, parent="os.getpid()"):
    command = [sys.executable, "-c", PARENT.format(parent=parent), CHILD, work]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("work", ["time.sleep(600)", "open({pipe!r})"], ids=["a wait", "a pipe"])
def test_a_check_stops_when_its_runner_is_killed(tmp_path, work):
    pipe = tmp_path / "pipe"
    subprocess.run(["mkfifo", pipe], check=True)
    runner = started(work.format(pipe=str(pipe)))
    assert runner.stdout.readline() == "checking\n"
    runner.kill()
    # It holds the other end of this pipe until it ends.
    assert runner.stdout.read() == "stopped\n"


def test_training_goes_on_when_its_runner_is_killed():
    runner = started("pass")
    assert [runner.stdout.readline() for _ in range(2)] == ["checking\n", "training\n"]
    runner.kill()
    runner.wait()
    runner.stdin.write("go on\n")
    runner.stdin.flush()
    assert runner.stdout.read() == "trained\n"


def test_a_check_stops_at_once_if_its_runner_is_dead_already():
    runner = started("time.sleep(600)", parent="1")
    assert runner.stdout.read() == "stopped\n"


CHECKING = """
import os, time
from alignment_trainer import failures, supervisor
from alignment_trainer.process.stop_signals import MESSAGE

class Checking(supervisor.Supervisor):
    def __init__(self):
        self.config, self.stop_requested, self._launcher = None, False, None

def check(config):
    print("checking", flush=True)
    time.sleep(600)

supervisor.preflight.check = check
checking = Checking()
checking.listen()
try:
    with checking._checking():
        supervisor.preflight.check(None)
except failures.Stopped as stopped:
    assert str(stopped) == MESSAGE
    print("stopped", flush=True)
"""


def test_the_supervisor_of_a_killed_alignment_run_stops_while_it_checks():
    runner = """import os, subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1]], env={**os.environ, "ALIGNMENT_RUNNER_PID": str(os.getpid())})
"""
    running = subprocess.Popen([sys.executable, "-c", runner, CHECKING], stdout=subprocess.PIPE, text=True)
    assert running.stdout.readline() == "checking\n"
    running.kill()
    assert running.stdout.read() == "stopped\n"
