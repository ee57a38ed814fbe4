"""Fixtures of the trainer's tests: RunConfigs, real attempts of stages, and stages whose ranks are forked."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from alignment_api.exit_codes import Termination
from alignment_api.names import RUN_CONFIG_FILE
from alignment_api.resolving.recipes import resolve
from alignment_api.run_config import JobIdentity, Paths, RunConfig, TrackingTarget
from alignment_api.spec.batch import world_size
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.lineage import input_hash, parent_of
from alignment_trainer.checks import preflight
from alignment_trainer.process.outcome import lowered_for_memory, termination_of
from alignment_trainer.workspace.recorded_settings import with_recorded_settings
from alignment_trainer.workspace.stage_folder import claim
from fork_nursery import STARTED_VARIABLE
from forked_programs import forked_programs
from forked_ranks import Watch, run_ranks
from made_once import made_once
from ports import free_port

STEPS = 24
ROWS, PAIRS = 480, 96
"""More than a stage trains on, and few: each row is tokenized, and each pair also costs a forward pass of the reference."""
PATIENCE_SECONDS = 600


@pytest.fixture
def own_workspace(workspace: Path, tmp_path: Path, empty_database: Path) -> Path:
    """A copy of the workspace that a test may change."""
    shutil.copytree(workspace / "inputs", tmp_path / "inputs")
    shutil.copy(empty_database, tmp_path)
    return tmp_path


def document(**changes: Any) -> dict[str, Any]:
    """Return a job with a short SFT and a short DPO stage; changes are paths such as sft__packing or compute__nodes."""
    optimization = {"learningRate": 3e-3, "warmup": {"fraction": 0.1}, "maxSteps": STEPS, "globalBatchSize": 8}
    job: dict[str, Any] = {
        "model": {"uri": "workspace://inputs/tiny/model"},
        "compute": {"gpusPerNode": 0, "processesPerNode": 2, "microBatchSize": 4, "gradientCheckpointing": False},
        "sft": {
            "datasets": [{"uri": "workspace://inputs/tiny/sft.jsonl", "maxExamples": ROWS}],
            "holdout": {"examples": 16},
            "optimization": dict(optimization),
            "maxLength": 128,
            "precision": "Float32",
            "checkpoint": {"everySteps": 8},
            "evaluation": {"everySteps": 8},
        },
        "dpo": {
            "datasets": [{"uri": "workspace://inputs/tiny/preferences.jsonl", "maxExamples": PAIRS}],
            "holdout": {"examples": 16},
            "optimization": {**optimization, "learningRate": 5e-4, "maxSteps": 8},
            "maxLength": 128,
            "precision": "Float32",
            "checkpoint": {"everySteps": 4},
            "evaluation": {"everySteps": 4},
        },
    }
    for path, value in changes.items():
        *parents, leaf = path.split("__")
        target = job
        for parent in parents:
            target = target.setdefault(parent, {})
        target[leaf] = value
    stages = [{"name": kind, kind: job.pop(kind)} for kind in ("sft", "dpo")]
    return {**job, "stages": stages, "storage": {"claimName": "workspace"}}


def run_config(root: Path, stage: str = "sft", attempt: int = 1, **changes: Any) -> RunConfig:
    """Return a RunConfig as the operator writes it."""
    job = AlignmentJob.parse(
        {
            "apiVersion": "alignment-operator.dev/v1alpha1",
            "kind": "AlignmentJob",
            "metadata": {"name": "tiny"},
            "spec": document(**changes),
        }
    )
    spec = resolve(job.spec).spec
    wanted = next(known for known in spec.stages or [] if known.name == stage)
    parent, compute = parent_of(spec, wanted), spec.compute_of(wanted)
    return RunConfig(
        job=JobIdentity(namespace="default", name="tiny", uid="0badcafe-1"),
        attempt=attempt,
        stage_name=stage,
        input_hash=input_hash(spec, wanted),
        spec=spec,
        compute=compute,
        paths=Paths(
            workspace=str(root),
            stage=str(root / "job" / stage),
            parent_model=str(root / "job" / parent.name / "model") if parent else None,
        ),
        tracking=TrackingTarget(uri=f"sqlite:///{root / 'mlflow.db'}", experiment="tests", artifacts=str(root / "artifacts")),
        world_size=world_size(compute),
        grace_seconds=60,
    )


class Result(NamedTuple):
    """How an attempt ended."""

    code: int
    termination: Termination
    output: str


class Attempt:
    """A running supervisor.

    It is forked from a process that has loaded all libraries, and so is what it starts. With `is_loading` they load what they
    need themselves, as in a pod, and with `is_first` it also is PID 1 of its own namespace where the system allows it.
    """

    def __init__(
        self,
        config: RunConfig,
        folder: Path,
        is_first: bool = False,
        is_heard: bool = False,
        is_loading: bool = False,
        **environment: str,
    ) -> None:
        self.config = config
        self.stage = Path(config.paths.stage)
        self._log = folder / f"{config.stage_name}-{config.attempt}.log"
        self._termination = folder / f"{config.stage_name}-{config.attempt}.termination.json"
        written = folder / f"{config.stage_name}-{config.attempt}.json"
        written.write_text(config.model_dump_json(by_alias=True, exclude_none=True))
        self.heartbeat_port = str(free_port()) if is_heard else ""
        self.port = environment.setdefault("PET_MASTER_PORT", str(free_port()))
        self._started = folder / f"{config.stage_name}-{config.attempt}.started"
        with self._log.open("wb") as log, contextlib.nullcontext() if is_first or is_loading else forked_programs():
            self.process = subprocess.Popen(
                [*(_as_first() if is_first else []), sys.executable, "-m", "alignment_trainer"],
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    "OMP_NUM_THREADS": "1",
                    "PET_NNODES": "1",
                    "PET_NODE_RANK": "0",
                    "PET_NPROC_PER_NODE": str(config.world_size),
                    "PET_MASTER_ADDR": "127.0.0.1",
                    "ALIGNMENT_RUN_CONFIG": str(written),
                    "ALIGNMENT_TERMINATION_LOG": str(self._termination),
                    "ALIGNMENT_HEARTBEAT_PORT": self.heartbeat_port,
                    STARTED_VARIABLE: str(self._started),
                    **environment,
                },
            )

    def wait(self) -> Result:
        """Wait for its end."""
        code = self.process.wait(PATIENCE_SECONDS)
        termination = Termination.model_validate_json(self._termination.read_text())
        return Result(code, termination, self.output)

    @property
    def output(self) -> str:
        """Return its whole output."""
        return self._log.read_text()

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until a condition holds while it runs."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)

    def has_checkpoint(self) -> bool:
        """Return whether there is a checkpoint to resume from."""
        return any((self.stage / "checkpoints").glob("step-*"))

    @property
    def supervisor(self) -> int | None:
        """Return its process ID, once it runs."""
        if self.process.args[0] == sys.executable:
            return self.process.pid
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0]) if children else None

    def has_loaded(self, library: str) -> bool:
        """Return whether the supervisor has loaded a library."""
        return self.supervisor is not None and library in Path(f"/proc/{self.supervisor}/maps").read_text()

    def stop(self) -> None:
        """Ask it to stop."""
        os.kill(self.supervisor, signal.SIGTERM)

    def processes(self) -> dict[str, list[int]]:
        """Find the launcher and the ranks that work for it."""
        found = self._forks()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_text().split("\0")
                variables = (entry / "environ").read_text()
            except OSError:
                continue
            if f"ALIGNMENT_TERMINATION_LOG={self._termination}\0" in variables:
                # The launcher's arguments name the ranks' module too.
                module = words[words.index("-m") + 1] if "-m" in words else words[-1]
                name = module.rpartition(".")[2]
                if name in found:
                    found[name].append(int(entry.name))
        return found

    def _forks(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {"torchrun": [], "rank": []}
        lines = self._started.read_text().splitlines() if self._started.exists() else []
        for process, name in map(str.split, lines):
            # Z is the state of a process that has ended and whose parent has not yet asked for its exit code.
            with contextlib.suppress(OSError):
                state = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2]
                if name in found and not state.startswith("Z"):
                    found[name].append(int(process))
        return found


def _as_first() -> list[str]:
    command = ["unshare", "--pid", "--fork", "--kill-child"]
    is_possible = shutil.which("unshare") and subprocess.run([*command, "true"], capture_output=True).returncode == 0
    return command if is_possible else []


def train(config: RunConfig, folder: Path, watch: Watch | None = None, nodes: int = 1, before: str = "") -> Result:
    """Check and run a stage as an attempt does, but with forked ranks and without supervisor, torchrun and MLflow."""
    files = Path(tempfile.mkdtemp(prefix=f"{config.stage_name}-ranks-", dir=folder))
    with (files / "log").open("a") as log, contextlib.redirect_stderr(log):
        config = with_recorded_settings(config)
        preflight.check(config)
        claim(config)
    (files / RUN_CONFIG_FILE).write_text(config.model_dump_json(by_alias=True, exclude_none=True))
    places = (files / RUN_CONFIG_FILE, config.world_size, files, files / "log")
    code = run_ranks(*places, PATIENCE_SECONDS, watch, nodes, before)
    termination = termination_of(files, code, stop_requested=False, lowered=lowered_for_memory(config.stage))
    return Result(termination.exit_code, termination, (files / "log").read_text())


def points(stage: Path) -> list[dict[str, Any]]:
    """Read a stage's journal."""
    return [json.loads(line) for line in (stage / "metrics.jsonl").read_text().splitlines()]


def values(stage: Path, name: str) -> dict[int, float]:
    """Return one metric by step; fail if a step occurs twice."""
    found: dict[int, float] = {}
    for point in points(stage):
        if name in point["metrics"]:
            assert point["step"] not in found, f"{name} of step {point['step']} is in the journal twice"
            found[point["step"]] = point["metrics"][name]
    return found


class Trainer(NamedTuple):
    """The functions above, for tests: test files cannot import each other."""

    config: Callable[..., RunConfig]
    attempt: Callable[..., Attempt]
    train: Callable[..., Result]
    points: Callable[[Path], list[dict[str, Any]]]
    values: Callable[[Path, str], dict[int, float]]
    steps: int


@pytest.fixture(scope="session")
def trainer() -> Trainer:
    """Return the functions above."""
    return Trainer(run_config, Attempt, train, points, values, STEPS)


@pytest.fixture(scope="session")
def finished(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which whole attempts of two processes ran both stages of the short job; tests must not write to it."""

    def make(root: Path) -> None:
        shutil.copytree(workspace / "inputs", root / "inputs")
        for stage in ("sft", "dpo"):
            result = Attempt(run_config(root, stage), root).wait()
            assert result.code == 0, result.output

    return made_once(tmp_path_factory, "finished", make)
