"""Keeps the heartbeat of a running stage up to date: whether its processes work, and the progress in its folder."""

import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from alignment_api.heartbeat import Heartbeat, read_activity
from alignment_api.names import ACTIVITY_FILE, METRICS_FILE
from alignment_api.run_config import RunConfig

from alignment_trainer.process.liveness import Liveness, read_processes
from alignment_trainer.workspace.base_record import model_revision
from alignment_trainer.workspace.checkpoints import newest_step
from alignment_trainer.workspace.journal import JournalTail
from alignment_trainer.workspace.stage_folder import is_ours
from alignment_trainer.workspace.stage_warnings import recorded_warnings

_LOOK_SECONDS = 2.0


class StageWatch:
    """Watches one attempt from this process, and returns its latest heartbeat at any time."""

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._stage = Path(config.paths.stage)
        self._journal = JournalTail(self._stage / METRICS_FILE)
        self._start_milliseconds = time.time_ns() // 1_000_000
        self._progress_time: datetime | None = None
        self._warning = ""
        self.liveness = Liveness(os.getpid())
        self._seen = Heartbeat(
            job_uid=config.job.uid, stage=config.stage_name, attempt=config.attempt, alive_time=self.liveness.time
        )

    def start(self) -> None:
        """Start two threads: a volume that does not answer must not hide that processes work."""
        for look, name in ((self._look_at_processes, "liveness"), (self.look_at_folder, "progress")):
            threading.Thread(target=_repeat, args=(look,), name=name, daemon=True).start()

    def heartbeat(self) -> Heartbeat:
        """Return the latest heartbeat of the stage."""
        return self._seen.model_copy(update={"alive_time": self.liveness.time, "time": datetime.now(UTC)})

    def look_at_folder(self) -> None:
        """Read the progress of the stage."""
        try:
            self._seen = self._seen.model_copy(update=self._read_folder())
            self._warning = ""
        except (OSError, ValueError) as error:
            # A failed look must not end the stage. The last heartbeat stays, and its times show its age.
            warning = f"{self._stage} cannot be read, so its progress is unknown ({error}); the stage continues"
            if warning != self._warning:
                print(warning, file=sys.stderr, flush=True)
            self._warning = warning

    def _look_at_processes(self) -> None:
        self.liveness.look(time.monotonic(), read_processes())

    def _read_folder(self) -> dict[str, object]:
        activity = read_activity(self._stage / ACTIVITY_FILE)
        # Before this stage claims the folder, it may contain the work of other inputs.
        is_claimed = is_ours(self._config)
        progress = self._journal.read().progress() if is_claimed else None
        has_stepped = is_claimed and self._journal.trained_milliseconds >= self._start_milliseconds
        times = (self._progress_time, activity and activity.time, progress and progress.updated_time)
        self._progress_time = max((known for known in times if known), default=None)
        return {
            "has_stepped": has_stepped,
            "step": progress and progress.step,
            "total_steps": progress and progress.total_steps,
            # An earlier attempt expected another time.
            "seconds_left": progress.seconds_left if progress and has_stepped else None,
            "metrics": progress and progress.metrics,
            "progress_time": self._progress_time,
            "activity": activity,
            "last_checkpoint": newest_step(self._stage) if is_claimed else None,
            "model_revision": model_revision(self._config),
            "warnings": recorded_warnings(self._stage) if is_claimed else None,
        }


def _repeat(look: Callable[[], None]) -> None:
    while True:
        look()
        time.sleep(_LOOK_SECONDS)
