"""Ships a stage's journal to MLflow beside the training: in batches, each point once, never in its way."""

import os
import sys
import threading
from pathlib import Path

from alignment_api.exit_codes import ExitCode
from alignment_api.names import METRICS_FILE
from alignment_api.run_config import RunConfig
from pydantic import BaseModel

from alignment_trainer.files import write_whole
from alignment_trainer.journal import Point, read_points_with_ends
from alignment_trainer.tracked_runs import TrackedRuns

FLUSH_SECONDS = 10
"""How long the end of training waits for MLflow at most; what is left is shipped by the next attempt."""

_POLL_SECONDS = 2.0
_BATCH = 900
_OFFSET_FILE = "shipped.json"
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class Shipped(BaseModel):
    """How much of the journal has arrived, and in which run."""

    run_id: str
    offset: int = 0


class Uploader(threading.Thread):
    """Follows the journal until the stage ends."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(name="uploader", daemon=True)
        self._config = config
        self._stage = Path(config.paths.stage)
        self._ending = threading.Event()
        self._status = "RUNNING"
        self._complained = False

    def finish(self, exit_code: int) -> None:
        """Ship the rest and end the runs, in bounded time."""
        self._status = {ExitCode.DONE: "FINISHED", ExitCode.STOPPED: "KILLED"}.get(exit_code, "FAILED")  # type: ignore[call-overload]
        self._ending.set()
        self.join(FLUSH_SECONDS)
        if self.is_alive():
            self._complain("MLflow did not take everything in time")

    def run(self) -> None:
        """Connect, then ship whatever is new; trouble with MLflow is told once and otherwise waited out."""
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        runs: TrackedRuns | None = None
        while True:
            is_last = self._ending.is_set()
            try:
                runs = runs or TrackedRuns(self._config)
                self._ship(runs)
                if is_last:
                    runs.end(self._status)
                    return
            except Exception as error:
                self._complain(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
                if is_last:
                    return
            self._ending.wait(_POLL_SECONDS)

    def _ship(self, runs: TrackedRuns) -> None:
        shipped = self._shipped(runs.run_id)
        batch: list[tuple[str, Point, float]] = []
        for point, end in read_points_with_ends(self._stage / METRICS_FILE, shipped.offset):
            batch += [(name, point, value) for name, value in point.metrics.items()]
            shipped.offset = end
            if len(batch) >= _BATCH:
                self._send(runs, batch, shipped)
                batch = []
        if batch:
            self._send(runs, batch, shipped)

    def _send(self, runs: TrackedRuns, batch: list[tuple[str, Point, float]], shipped: Shipped) -> None:
        # A point sent twice, because we died between these two lines, has the same time and value: MLflow keeps one.
        runs.log([(name, value, point.time, point.step) for name, point, value in batch])
        write_whole(self._stage / _OFFSET_FILE, shipped.model_dump_json())

    def _shipped(self, run_id: str) -> Shipped:
        path = self._stage / _OFFSET_FILE
        shipped = Shipped.model_validate_json(path.read_text()) if path.exists() else Shipped(run_id=run_id)
        # A run that is not the one we shipped to, because somebody deleted that, gets everything.
        return shipped if shipped.run_id == run_id else Shipped(run_id=run_id)

    def _complain(self, trouble: str) -> None:
        if not self._complained:
            self._complained = True
            print(
                f"MLflow at {self._config.tracking.uri} cannot be used ({trouble}); "
                f"training goes on, metrics are kept in {self._stage / METRICS_FILE} and shipped when it answers",
                file=sys.stderr,
                flush=True,
            )
