"""Starts the ranks of a stage as torchrun does, and records their exit codes, which torchrun discards."""

import logging
import os
import sys
from pathlib import Path

from alignment_api.problems import first_line

from alignment_trainer.failures import PeerLost
from alignment_trainer.process.garbage import loading_libraries
from alignment_trainer.process.lifeline import LAUNCHER_VARIABLE, die_with
from alignment_trainer.process.outcome import (
    OUTCOMES_VARIABLE,
    RankFailure,
    explained,
    failure_of,
    record_failures,
    record_launcher_outcome,
)

with loading_libraries():
    from torch.distributed import DistError, run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.elastic.rendezvous import RendezvousError

SUPERVISOR_VARIABLE = "ALIGNMENT_SUPERVISOR_PID"
WORKSPACE_VARIABLE = "ALIGNMENT_WORKSPACE"
_RENDEZVOUS_SECONDS = 20 * 24 * 3600
"""As long as torch can wait, which counts milliseconds in 32 bits; the operator decides when a node is too late."""


def main() -> None:
    """Run torchrun with this process's arguments."""
    die_with(int(os.environ[SUPERVISOR_VARIABLE]))
    os.environ[LAUNCHER_VARIABLE] = str(os.getpid())
    # The supervisor reports in one sentence which process ended and how, so torch's lines with pids and signals add nothing.
    logging.getLogger("torch.distributed.elastic.multiprocessing.api").setLevel(logging.CRITICAL)
    try:
        waiting = f"--rdzv-conf=timeout={_RENDEZVOUS_SECONDS}"
        run.run(run.parse_args([waiting, *sys.argv[1:]]))  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        failures = sorted(error.failures.items(), key=lambda item: item[1].timestamp)
        record_failures(
            Path(os.environ[OUTCOMES_VARIABLE]), [RankFailure(int(rank), failure.exitcode) for rank, failure in failures]
        )
        sys.exit(1)
    except (DistError, RendezvousError) as error:
        # Before the ranks start, the launcher only waits for the launchers of the other nodes.
        lost = PeerLost(f"the other nodes of the stage could not be reached ({first_line(error)}); their logs may show why")
        record_launcher_outcome(Path(os.environ[OUTCOMES_VARIABLE]), failure_of(lost))
        sys.exit(1)
    except OSError as error:
        outcome = explained(error, Path(os.environ[WORKSPACE_VARIABLE]))
        if outcome is None:
            raise
        record_launcher_outcome(Path(os.environ[OUTCOMES_VARIABLE]), outcome)
        sys.exit(1)
    except SignalException as error:
        sys.exit(128 + error.sigval)


if __name__ == "__main__":
    main()
