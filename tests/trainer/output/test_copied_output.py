"""What the supervisor and the first rank print arrives where it did before, and in the log, however they end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SUPERVISOR = """
import os, subprocess, sys
from pathlib import Path
from alignment_trainer.output.copied_output import RankPipes, copy_own_output
from alignment_trainer.output.stage_log import StageLog
folder, program = Path(sys.argv[1]), sys.argv[2]
log = StageLog()
copy_own_output(log)
log.write_to(folder / "sft", "attempt 1 of tiny/sft")
print("from the supervisor")
sys.stderr.writelines(["its ", "complaint\\n"])
sys.stdout.flush()
pipes = RankPipes(folder, log)
rank = subprocess.Popen([sys.executable, "-uc", program, str(folder), str(os.getpid())])
code = rank.wait()
pipes.drain()
log.end(f"the rank ended with {code}\\n")
os._exit(0)
"""
RANK = """
import os, signal, sys, time
from pathlib import Path
from alignment_trainer.output.copied_output import print_into_pipes
print_into_pipes(Path(sys.argv[1]))
print("printed")
os.write(1, b"written without Python\\n")
print("a warning", file=sys.stderr)
print("the last line")
"""
PRINTED = "from the supervisor\nprinted\nwritten without Python\nthe last line\n"
COMPLAINTS = "its complaint\na warning\n"


def run(folder, program=RANK, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "timeout": 60, **options}
    return subprocess.run([sys.executable, "-c", SUPERVISOR, str(folder), program], text=True, **options)


def log_lines(folder):
    return (folder / "sft" / "stage.log").read_text().splitlines()[1:]


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("", 0),
        ("os._exit(3)", 3),
        ("sys.stderr.write('begun')", 0),
        ("os.abort()", -signal.SIGABRT),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_all_that_a_rank_printed_arrives_however_it_ends(tmp_path, end, code):
    done = run(tmp_path, RANK + end)
    begun = "begun" if "begun" in end else ""
    assert (done.stdout, done.stderr) == (PRINTED, COMPLAINTS + begun)
    lines = log_lines(tmp_path)
    assert sorted(lines) == sorted([*PRINTED.splitlines(), *(COMPLAINTS + begun).splitlines(), f"the rank ended with {code}"])
    assert lines[-1] == f"the rank ended with {code}"


def test_in_one_file_both_streams_keep_their_order(tmp_path):
    done = run(tmp_path, stderr=subprocess.STDOUT)
    expected = ["printed", "written without Python", "a warning", "the last line"]
    assert done.stdout.splitlines()[-4:] == expected
    assert log_lines(tmp_path)[-5:-1] == expected


def test_more_than_a_pipe_holds_arrives_in_full(tmp_path):
    program = RANK + "for number in range(100_000):\n    os.write(1, b'line %d\\n' % number)\n"
    done = run(tmp_path, program)
    expected = [f"line {number}" for number in range(100_000)]
    assert done.stdout.splitlines()[-100_000:] == expected
    # The log may drop lines of a rank that is faster than the volume, but says how many.
    lines = log_lines(tmp_path)
    lost = sum(int(line.split()[0][1:]) for line in lines if line.startswith("["))
    assert len([line for line in lines if line.startswith("line ")]) + lost >= 100_000


def test_an_output_that_takes_nothing_stops_neither_rank_nor_log(tmp_path):
    with Path("/dev/full").open("w") as full:
        assert run(tmp_path, stdout=full, stderr=full).returncode == 1, "the supervisor's own lines fail, as before"
    program = SUPERVISOR.replace('print("from the supervisor")', "").replace(
        'sys.stderr.writelines(["its ", "complaint\\n"])', ""
    )
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", program, str(tmp_path), RANK]
        assert subprocess.run(command, stdout=full, stderr=full, timeout=60).returncode == 0
    assert log_lines(tmp_path)[-5:] == [
        "printed",
        "written without Python",
        "a warning",
        "the last line",
        "the rank ended with 0",
    ]


def test_a_rank_whose_supervisor_was_killed_does_not_wait_for_a_reader(tmp_path):
    end = """
os.kill(int(sys.argv[2]), signal.SIGKILL)
try:
    while True:
        os.write(1, b"#" * 10_000)
except BrokenPipeError:
    (Path(sys.argv[1]) / "ended").touch()
"""
    done = run(tmp_path, RANK + end)
    assert done.returncode == -signal.SIGKILL
    ended, deadline = tmp_path / "ended", time.monotonic() + 60
    while not ended.exists():
        assert time.monotonic() < deadline, "the rank still waits for a reader"
        time.sleep(0.1)


def test_without_pipes_a_rank_prints_as_before(tmp_path):
    done = subprocess.run([sys.executable, "-uc", RANK, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("printed\nwritten without Python\nthe last line\n", "a warning\n")


def test_a_process_that_a_rank_leaves_does_not_hold_up_the_end(tmp_path):
    end = "import subprocess\nleft = subprocess.Popen(['sleep', '1000'])\nPath(sys.argv[1], 'left').write_text(str(left.pid))\n"
    # Its output must not be a pipe of ours, which the left process would keep open.
    with (tmp_path / "output").open("w") as output:
        assert run(tmp_path, RANK + end, stdout=output, stderr=output).returncode == 0
    os.kill(int((tmp_path / "left").read_text()), signal.SIGKILL)
    assert log_lines(tmp_path)[-1] == "the rank ended with 0"
