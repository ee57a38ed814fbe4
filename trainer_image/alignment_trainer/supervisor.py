"""Runs one attempt of one stage: checks its inputs, starts its processes, and reports how they ended."""

import math
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from alignment_api.exit_codes import DISK_FULL, Termination
from alignment_api.journal import read_points
from alignment_api.names import METRICS_FILE, RUN_CONFIG_FILE
from alignment_api.progress.course import course_of
from alignment_api.run_config import RunConfig
from alignment_api.spec.kinds import KINDS

from alignment_trainer.checks import preflight
from alignment_trainer.checks.datasets import Findings
from alignment_trainer.checks.row_room import rows_to_write
from alignment_trainer.checks.servers import check_servers
from alignment_trainer.failures import Stopped
from alignment_trainer.model_folder.room import check_room, known_start, with_needs
from alignment_trainer.output import stage_log
from alignment_trainer.output.copied_output import DRAIN_SECONDS, RankPipes, copy_own_output
from alignment_trainer.process import heartbeat
from alignment_trainer.process.launching import record_launched, start_ranks
from alignment_trainer.process.lifeline import stopping_with
from alignment_trainer.process.outcome import OUTCOMES_VARIABLE, lowered_for_memory, reserve_room, termination_of
from alignment_trainer.process.stage_watch import StageWatch
from alignment_trainer.process.stop_signals import MESSAGE, exit_after_cleanup
from alignment_trainer.tracking.shipping import is_shipped
from alignment_trainer.tracking.uploader import FLUSH_SECONDS, Uploader
from alignment_trainer.workspace import activity
from alignment_trainer.workspace.base_record import model_revision
from alignment_trainer.workspace.checkpoints import newest_step
from alignment_trainer.workspace.journal import last_step
from alignment_trainer.workspace.recorded_settings import with_recorded_settings
from alignment_trainer.workspace.stage_folder import claim, clear_unfinished, holds_other_work, is_done
from alignment_trainer.workspace.stage_warnings import recorded_warnings, warn

CONFIG_VARIABLE = "ALIGNMENT_RUN_CONFIG"
_RUNNER_VARIABLE = "ALIGNMENT_RUNNER_PID"
"""Set on one machine, where `alignment run` is the parent."""
_CLEANUP_SECONDS = 2
_LAST_SECONDS = math.ceil(DRAIN_SECONDS + stage_log.END_SECONDS + FLUSH_SECONDS + _CLEANUP_SECONDS)
"""How long an attempt may take after its ranks have ended: for what they printed, the log, the last metrics and its report."""


class Supervisor:
    """Runs one attempt."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self.stage = Path(config.paths.stage)
        self.stop_requested = False
        self._is_checking = False
        self._launcher: subprocess.Popen[bytes] | None = None
        self._is_first_node = int(os.environ.get("PET_NODE_RANK") or 0) == 0
        # The processes of other nodes may still write.
        self._is_only_node = int(os.environ.get("PET_NNODES") or 1) == 1
        self._watch = StageWatch(config)
        self._log = stage_log.begin() if self._is_first_node else None

    def listen(self) -> None:
        """Handle stop signals from now on."""
        signal.signal(signal.SIGTERM, self._request_stop)
        signal.signal(signal.SIGINT, self._request_stop)

    def run(self) -> Termination:
        """Run the attempt to its end."""
        if self._log:
            copy_own_output(self._log)
        if heartbeat.serve(self.config, self._watch.heartbeat):
            self._watch.start()
        if is_done(self.config):
            self._ship_rest()
            done = Termination(exit_code=0, reason="Completed", message="the stage was done before")
            return self._with_last_report(done)
        self.config = with_recorded_settings(self.config)
        if self._is_first_node:
            activity.begin(self.stage)
            if not holds_other_work(self.config):
                self._write_log()
        with self._checking(), activity.working("checking settings and data"):
            findings = preflight.check(self.config)
            doubts = list(preflight.doubts(self.config, findings)) if self._is_first_node else []
        if self._is_first_node:
            claim(self.config)
            warn(self.stage, doubts)
            self._write_log()
            clear_unfinished(self.stage)
            self._check_room(findings)
            with self._checking(), activity.working("asking its servers"):
                check_servers(self.config)
        if self.stop_requested:
            raise Stopped(MESSAGE)
        termination = self._with_last_report(self._train())
        return termination.model_copy(
            update={
                "step": last_step(self.stage / METRICS_FILE),
                "last_checkpoint": newest_step(self.stage),
                "model_revision": model_revision(self.config),
            }
        )

    def _with_last_report(self, termination: Termination) -> Termination:
        # Only after a success: operators of earlier versions cannot read a termination with these fields, and need a failure's.
        if termination.exit_code != 0:
            return termination
        progress = course_of(read_points(self.stage / METRICS_FILE)).progress()
        return termination.model_copy(
            update={
                "warnings": recorded_warnings(self.stage) or None,
                "total_steps": progress and progress.total_steps,
                "metrics": progress and progress.metrics,
            }
        )

    def _write_log(self) -> None:
        if self._log:
            self._log.write_to(self.stage, f"attempt {self.config.attempt} of {self.config.job.name}/{self.config.stage_name}")

    def _request_stop(self, *_: int | FrameType | None) -> None:
        """Ask the ranks to save and stop, or stop the checks before them; a second signal changes nothing."""
        if self.stop_requested:
            return
        self.stop_requested = True
        if self._launcher:
            self._launcher.send_signal(signal.SIGTERM)
        else:
            # A library that waits for its downloads may delay the exception.
            exit_after_cleanup()
            if self._is_checking:
                raise Stopped(MESSAGE)

    @contextmanager
    def _checking(self) -> Iterator[None]:
        """Let a stop request end the checks at once."""
        self._is_checking = True
        runner = os.environ.get(_RUNNER_VARIABLE)
        try:
            # Training continues without its runner, which finds it again; a check has nothing to save, and may hang on a volume.
            with stopping_with(int(runner) if runner else None):
                yield
        finally:
            self._is_checking = False

    def _check_room(self, findings: Findings) -> None:
        """Check the workspace volume before any process takes a GPU; a model of the Hub is checked when it is there."""
        start = known_start(self.config) if KINDS[self.config.stage.kind].trains else None
        if start:
            check_room(self.config, start, rows=rows_to_write(self.config, findings))

    def _without_unfinished(self, termination: Termination) -> Termination:
        """Remove what is half written, and add to the message what the stage still writes."""
        if self._is_only_node:
            clear_unfinished(self.stage)
        if not KINDS[self.config.stage.kind].trains:
            return termination
        return termination.model_copy(update={"message": with_needs(termination.message, self.config)})

    def _ship_rest(self) -> None:
        """Ship what did not arrive in MLflow while the stage ran."""
        if self._is_first_node and not is_shipped(self.stage):
            uploader = Uploader(self.config, is_live=False)
            uploader.start()
            uploader.drain()

    def _train(self) -> Termination:
        uploader = Uploader(self.config) if self._is_first_node else None
        folder = Path(tempfile.mkdtemp(prefix="alignment-"))
        try:
            reserve_room(folder)
            pipes = self._pipes(folder)
            activity.hand_over("starting its processes")
            self._start(folder)
            if uploader:
                uploader.start()
            code = self._wait()
            record_launched(self.config, folder, code)
            if pipes:
                pipes.drain()
            termination = termination_of(folder, code, self.stop_requested, lowered_for_memory(self.config.stage))
            if termination.reason == DISK_FULL and self._is_first_node:
                termination = self._without_unfinished(termination)
            if self._log:
                self._log.end(f"{termination.reason}: {termination.message}\n")
            if uploader:
                uploader.finish(termination.exit_code)
            return termination
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _pipes(self, folder: Path) -> RankPipes | None:
        try:
            return RankPipes(folder, self._log) if self._log else None
        except OSError as error:
            print(
                f"the log of the stage will lack what training prints ({error}); training continues", file=sys.stderr, flush=True
            )
            return None

    def _start(self, folder: Path) -> None:
        # This config combines the attempt's own with the settings recorded when the stage began; all ranks read it.
        config_path = folder / RUN_CONFIG_FILE
        config_path.write_text(self.config.model_dump_json(by_alias=True, exclude_none=True), encoding="utf-8")
        # From here on this process only waits and ships metrics, so its CPU time does not count as progress of the stage.
        self._watch.liveness.counts_root = False
        places = {CONFIG_VARIABLE: str(config_path), OUTCOMES_VARIABLE: str(folder)}
        # The ranks get the rest of the grace period.
        self._launcher = start_ranks(self.config, places, patience_seconds=max(1, self.config.grace_seconds - _LAST_SECONDS))
        if self.stop_requested:
            self._launcher.send_signal(signal.SIGTERM)

    def _wait(self) -> int:
        assert self._launcher is not None
        while True:
            try:
                return self._launcher.wait(timeout=1)
            except subprocess.TimeoutExpired:
                continue
