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
