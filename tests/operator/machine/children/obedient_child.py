"""A child process for tests: follows the order in its RunConfig file, and writes a termination message as the trainer does."""

import json
import os
import signal
import sys
import time
from pathlib import Path

order = json.loads(Path(os.environ["ALIGNMENT_RUN_CONFIG"]).read_text())


def end(exit_code: int, reason: str) -> None:
    message = {"exitCode": exit_code, "reason": reason, "message": f"{reason} as ordered", "lastCheckpoint": 7}
    Path(os.environ["ALIGNMENT_TERMINATION_LOG"]).write_text(json.dumps(message))
    sys.exit(exit_code)


signal.signal(signal.SIGTERM, signal.SIG_IGN if order.get("deaf") else lambda *_: end(75, "Stopped"))
print("child at work", os.environ["PET_MASTER_PORT"], os.environ["ALIGNMENT_SYNC_COMMAND"], flush=True)
print("GPUs", os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
if order["do"] == "wait":
    while True:
        time.sleep(0.05)
if order["do"] == "die":
    os.kill(os.getpid(), signal.SIGKILL)
end(order["exitCode"], order["reason"])
