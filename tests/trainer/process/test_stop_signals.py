"""A stop signal before the supervisor has handlers of its own."""

import json
import os
import signal
import subprocess
import sys

import pytest

WAITING = "print('begun', flush=True)\nwhile True:\n    time.sleep(1)"
LEAVE = f"import time\nfrom alignment_trainer.process import stop_signals\nstop_signals.exit_on_request()\n{WAITING}"
HELD_UP = f"""
import time
from alignment_trainer.process import stop_signals
stop_signals._CLEANUP_SECONDS = 0.1
stop_signals.exit_after_cleanup()
{WAITING}
"""


@pytest.mark.parametrize(("program", "number"), [(LEAVE, signal.SIGTERM), (LEAVE, signal.SIGINT), (HELD_UP, None)])
def test_a_stop_ends_the_process_with_a_message_during_any_work(tmp_path, program, number):
    environment = {**os.environ, "ALIGNMENT_TERMINATION_LOG": str(tmp_path / "log")}
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "begun\n"
    if number:
        process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 75
    assert error == "Stopped: stopped on request, before training began\n"
    assert json.loads((tmp_path / "log").read_text())["reason"] == "Stopped"


def test_the_module_imports_nothing_slow():
    program = (
        "import sys, alignment_trainer.process.stop_signals; sys.exit(bool({'pydantic', 'alignment_api'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
