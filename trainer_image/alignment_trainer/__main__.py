"""The supervisor of one attempt of one stage: starts its processes, and always says in the end what became of them."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import FrameType

from alignment_api.exit_codes import ExitCode, Termination
from alignment_api.names import METRICS_FILE, RUN_CONFIG_FILE
from alignment_api.problems import from_validation
from alignment_api.run_config import RunConfig
from pydantic import ValidationError

from alignment_trainer import preflight
from alignment_trainer.checkpoints import newest_step
from alignment_trainer.failures import BadConfiguration, StageFailure, Stopped
from alignment_trainer.journal import last_step
from alignment_trainer.outcome import OUTCOMES_VARIABLE, failure_of, termination_of
from alignment_trainer.shipping import is_shipped
from alignment_trainer.stage_folder import claim, is_done
from alignment_trainer.uploader import FLUSH_SECONDS, Uploader

CONFIG_VARIABLE = "ALIGNMENT_RUN_CONFIG"
TERMINATION_VARIABLE = "ALIGNMENT_TERMINATION_LOG"
_POD_TERMINATION_LOG = Path("/dev/termination-log")
_POD_CONFIG = Path("/etc/alignment") / RUN_CONFIG_FILE
_CLEANUP_SECONDS = 2


class Supervisor:
    """Runs one attempt."""

    def __init__(self, config: RunConfig, config_path: Path) -> None:
        self.config = config
        self.stage = Path(config.paths.stage)
        self.stop_requested = False
        self._is_checking = False
        self._config_path = config_path
        self._launcher: subprocess.Popen[bytes] | None = None
        self._is_first_node = int(os.environ.get("PET_NODE_RANK") or 0) == 0

    def request_stop(self, *_: int | FrameType | None) -> None:
        """Ask the ranks to save and stop, or stop checking what they would read; asking again changes nothing."""
        if not self.stop_requested:
            self.stop_requested = True
            if self._is_checking:
                self._raise_stopped()
            elif self._launcher:
                os.kill(self._launcher.pid, signal.SIGTERM)

    def run(self) -> Termination:
        """Carry the attempt through."""
        if is_done(self.config):
            self._ship_rest()
            return Termination(exit_code=0, reason="Completed", message="the stage was done before")
        self._check()
        if self._is_first_node:
            claim(self.config)
        if self.stop_requested:
            self._raise_stopped()
        termination = self._train()
        step = last_step(self.stage / METRICS_FILE)
        return termination.model_copy(update={"step": step, "last_checkpoint": newest_step(self.stage)})

    def _check(self) -> None:
        self._is_checking = True
        try:
            preflight.check(self.config)
        finally:
            self._is_checking = False

    def _raise_stopped(self) -> None:
        raise Stopped("stopped on request, before training began")

    def _ship_rest(self) -> None:
        """Ship what MLflow did not take when the stage was run."""
        if self._is_first_node and not is_shipped(self.stage):
            uploader = Uploader(self.config, is_live=False)
            uploader.start()
            uploader.drain()

    def _train(self) -> Termination:
        uploader = Uploader(self.config) if self._is_first_node else None
        outcomes = Path(tempfile.mkdtemp(prefix="alignment-"))
        try:
            self._start(outcomes)
            if uploader:
                uploader.start()
            termination = termination_of(outcomes, self._wait(), self.stop_requested)
            if uploader:
                uploader.finish(termination.exit_code)
            return termination
        finally:
            shutil.rmtree(outcomes, ignore_errors=True)

    def _start(self, outcomes: Path) -> None:
        # Time for the last metrics and the termination message is kept back from what the ranks may use.
        patience = max(1, self.config.grace_seconds - FLUSH_SECONDS - _CLEANUP_SECONDS)
        self._launcher = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "alignment_trainer.torchrun",
                f"--shutdown-timeout={patience}",
                "-m",
                "alignment_trainer.rank",
            ],
            env={
                **os.environ,
                CONFIG_VARIABLE: str(self._config_path),
                OUTCOMES_VARIABLE: str(outcomes),
                "ALIGNMENT_SUPERVISOR_PID": str(os.getpid()),
            },
        )
        if self.stop_requested:
            os.kill(self._launcher.pid, signal.SIGTERM)

    def _wait(self) -> int:
        assert self._launcher is not None
        while True:
            try:
                return self._launcher.wait(timeout=1)
            except subprocess.TimeoutExpired:
                continue


def main(arguments: list[str] | None = None) -> int:
    """Run the attempt that a RunConfig describes."""
    parser = argparse.ArgumentParser(prog="alignment_trainer", description="Trains one stage of an AlignmentJob.")
    default = Path(os.environ.get(CONFIG_VARIABLE) or _POD_CONFIG)
    parser.add_argument("--config", type=Path, default=default, help="RunConfig, as the operator writes it")
    path: Path = parser.parse_args(arguments).config
    try:
        supervisor = Supervisor(_read_config(path), path)
        signal.signal(signal.SIGTERM, supervisor.request_stop)
        signal.signal(signal.SIGINT, supervisor.request_stop)
        termination = supervisor.run()
    except StageFailure as failure:
        termination = Termination(**failure_of(failure)._asdict())
    except Exception as error:
        termination = Termination(exit_code=ExitCode.DEFECT, reason="Defect", message=f"{type(error).__name__}: {error}"[:3000])
        _report(termination)
        raise
    _report(termination)
    return termination.exit_code


def _read_config(path: Path) -> RunConfig:
    try:
        return RunConfig.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfiguration(
            f"{path}: cannot be read ({error.strerror}); give the RunConfig with --config or {CONFIG_VARIABLE}"
        ) from error
    except ValidationError as error:
        problems = "\n".join(f"{path}: {problem}" for problem in from_validation(error, RunConfig))
        raise BadConfiguration(problems) from error


def _report(termination: Termination) -> None:
    print(f"{termination.reason}: {termination.message}", file=sys.stderr, flush=True)
    named = os.environ.get(TERMINATION_VARIABLE)
    path = Path(named) if named else _POD_TERMINATION_LOG
    if named or path.exists():
        # The kubelet mounts this file; it can be written, not replaced.
        path.write_text(termination.model_dump_json(exclude_none=True), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
