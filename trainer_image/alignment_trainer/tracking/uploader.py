"""Ships a stage's data to MLflow in a thread beside training, then what other stages have left unshipped."""

import os
import sys
import textwrap
import threading
from pathlib import Path

from alignment_api.credentials import without_credentials
from alignment_api.exit_codes import ExitCode
from alignment_api.names import DONE_FILE
from alignment_api.run_config import RunConfig
from alignment_api.spec.lineage import building_on, foundations

from alignment_trainer.tracking.endings import forget_ending, record_ending
from alignment_trainer.tracking.shipping import Shipment, is_of_job_run, left_behind, ship_all
from alignment_trainer.tracking.tracked_runs import configure_client

FLUSH_SECONDS = 10
"""How long the end of training waits for MLflow; the next attempt or stage, or a sync, ships the rest."""

SYNC_VARIABLE = "ALIGNMENT_SYNC_COMMAND"
"""Names the command that ships the rest, if it is not the one of a pod."""

_POD_SYNC = "python -m alignment_trainer.sync"
_POLL_SECONDS = 2.0
_LONGEST_CAUSE = 120


class Uploader(threading.Thread):
    """Follows the stage's journal and samples until the stage ends."""

    def __init__(self, config: RunConfig, is_live: bool = True) -> None:
        super().__init__(name="uploader", daemon=True)
        self._config = config
        self._is_live = is_live
        self._stage = Path(config.paths.stage)
        self._ending = threading.Event()
        self._has_warned = False
        if is_live:
            forget_ending(self._stage)

    def finish(self, exit_code: int) -> None:
        """Record how the stage ended, and ship the rest within a limited time."""
        status = {ExitCode.DONE: "FINISHED", ExitCode.STOPPED: "KILLED"}.get(exit_code, "FAILED")  # type: ignore[call-overload]
        try:
            record_ending(self._stage, status)
        except OSError as error:
            # How the stage ended must reach the operator, also from a full disk.
            print(
                f"{error.filename} could not be written ({error.strerror}); MLflow shows this attempt as running until the next",
                file=sys.stderr,
                flush=True,
            )
        self.drain()

    def drain(self) -> None:
        """Ship the rest within a limited time."""
        self._ending.set()
        self.join(FLUSH_SECONDS)
        if self.is_alive():
            self._warn("MLflow did not take everything in time")

    def run(self) -> None:
        """Connect, and ship new data until the stage ends; an MLflow failure is reported once and then retried."""
        configure_client()
        shipment: Shipment | None = None
        has_looked_back = False
        while True:
            is_last = self._ending.is_set()
            try:
                shipment = shipment or Shipment(self._config, self._is_live)
                shipment.ship_points()
                if is_last:
                    shipment.end()
                shipment.ship_rest()
                if is_last:
                    shipment.ship_log()
                if not has_looked_back:
                    has_looked_back = True
                    self._look_back(shipment.job_run_id)
            except Exception as error:
                self._warn(_cause_of(error))
            if is_last:
                return
            self._ending.wait(_POLL_SECONDS)

    def _look_back(self, job_run_id: str | None) -> None:
        for earlier in left_behind(self._stage.parent):
            if earlier != self._stage and not self._may_be_at_work(earlier):
                ship_all(earlier, self._config.tracking)
        # After a change of this stage's settings the job has a new run, which shows the other finished stages too.
        later = building_on(self._config.spec, self._config.stage)
        for stage in self._config.spec.stages or []:
            other = self._stage.parent / stage.name
            is_done = (other / DONE_FILE).exists() and other != self._stage and stage not in later
            if job_run_id and is_done and not is_of_job_run(other, job_run_id):
                ship_all(other, self._config.tracking, job_run_id)

    def _may_be_at_work(self, other: Path) -> bool:
        """Return whether another process may be shipping from a folder: that of a stage beside this one that has no result."""
        names = {stage.name for stage in self._config.spec.stages or []}
        below = foundations(self._config.spec)[self._config.stage_name]
        return other.name in names - below and not (other / DONE_FILE).exists()

    def _warn(self, trouble: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            sync = os.environ.get(SYNC_VARIABLE, _POD_SYNC)
            print(
                f"MLflow at {without_credentials(self._config.tracking.uri)} cannot be used ({without_credentials(trouble)}); "
                f"training continues, and the metrics in {self._stage} are sent later: when MLflow answers, with the next stage, "
                f"or by `{sync}`",
                file=sys.stderr,
                flush=True,
            )


def _cause_of(error: BaseException) -> str:
    """Return the root cause: each library on the way has wrapped it in an error of its own."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    return textwrap.shorten(f"{type(error).__name__}: {error}", _LONGEST_CAUSE, placeholder=" ...")
