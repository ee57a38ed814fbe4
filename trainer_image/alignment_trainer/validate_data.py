"""Checks all data of a job: `python -m alignment_trainer.validate_data RUN_CONFIG`; `alignment validate --data` starts it."""

import argparse
import os
import signal
import sys
from pathlib import Path

from alignment_api.run_config import RunConfig

from alignment_trainer.checks import preflight
from alignment_trainer.failures import StageFailure
from alignment_trainer.process.lifeline import die_with

_VALID, _REFUSED = 0, 2


def main(arguments: list[str] | None = None) -> int:
    """Check the data of all stages as the first stage does before it starts, and print what was found."""
    parser = argparse.ArgumentParser(prog="alignment_trainer.validate_data", description="Checks all data of a job.")
    parser.add_argument("config", type=Path, help="RunConfig of the job's first stage")
    parser.add_argument("--name", required=True, help="the job's file, for messages")
    options = parser.parse_args(arguments)
    config = RunConfig.model_validate_json(options.config.read_text(encoding="utf-8"))
    try:
        found = preflight.check_job(config)
    except StageFailure as failure:
        for sentence in str(failure).splitlines():
            print(f"error: {options.name}: {sentence}", file=sys.stderr)
        return _REFUSED
    for sentence in found.read:
        print(f"{options.name}: {sentence}")
    return _VALID


if __name__ == "__main__":
    die_with(os.getppid())
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    code = main()
    sys.stdout.flush()
    os._exit(code)
