"""Starts the ranks of a stage as torchrun does, and writes down their exit codes, which torchrun itself throws away."""

import logging
import os
import sys
from pathlib import Path

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from alignment_trainer.lifeline import die_with
from alignment_trainer.outcome import OUTCOMES_VARIABLE, RankFailure, record_failures

SUPERVISOR_VARIABLE = "ALIGNMENT_SUPERVISOR_PID"
LAUNCHER_VARIABLE = "ALIGNMENT_LAUNCHER_PID"


def main() -> None:
    """Run torchrun with this process's arguments."""
    die_with(int(os.environ[SUPERVISOR_VARIABLE]))
    os.environ[LAUNCHER_VARIABLE] = str(os.getpid())
    # The supervisor says in a sentence which process ended how; pids and signals beside it tell no more.
    logging.getLogger("torch.distributed.elastic.multiprocessing.api").setLevel(logging.CRITICAL)
    try:
        run.run(run.parse_args(sys.argv[1:]))  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        failures = sorted(error.failures.items(), key=lambda item: item[1].timestamp)
        record_failures(
            Path(os.environ[OUTCOMES_VARIABLE]), [RankFailure(int(rank), failure.exitcode) for rank, failure in failures]
        )
        sys.exit(1)
    except SignalException as error:
        sys.exit(128 + error.sigval)


if __name__ == "__main__":
    main()
