"""Starts the trainer on this machine to check the data or the judges of a job, or to show its rows, before the job runs."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from alignment_api.home import Home
from alignment_api.names import RUN_CONFIG_FILE
from alignment_api.problems import InvalidJob, Problem
from alignment_api.resolving.validation import resolve_job, runnable_job
from alignment_api.spec.job import AlignmentJob, AlignmentJobSpec
from alignment_api.spec.parts import judges_of
from alignment_api.spec.stages import Stage

from alignment_operator.backends.chosen import ON_MACHINE
from alignment_operator.deciding.stage_run import fresh_run
from alignment_operator.machine.run import local_settings
from alignment_operator.machine.world import LocalCluster

_INTERRUPTED = 130
UNREAD = 141
"""The exit code if the reader of the output, such as `head`, has ended."""
# The rows do not depend on which job of this name reads them, and nothing is written to its folder.
_NO_UID = "00000000-0000-0000-0000-000000000000"


def check_data(job: AlignmentJob, home: Home, file: Path) -> int:
    """Check all files and rows of a job, and print what was found."""
    spec = runnable_job(job).spec
    return _trainer("alignment_trainer.validate_data", job, spec, _stages(spec)[0], home, "--name", str(file))


def show_data(job: AlignmentJob, home: Home, stage: str | None, rows: int) -> int:
    """Print the first rows of each dataset as training reads them."""
    spec = runnable_job(job).spec
    options = ["--stage", _named(spec, stage).name] if stage else []
    return _trainer("alignment_trainer.show_data", job, spec, _stages(spec)[0], home, "-n", str(rows), *options)


def check_judges(job: AlignmentJob, home: Home, stage: str | None) -> int:
    """Ask the judges of a job, or of one of its stages, questions whose verdict is known; return the worst exit code."""
    # A stage that this version does not run yet can have a judge.
    spec = resolve_job(job).spec
    stages = [_named(spec, stage)] if stage else _stages(spec)
    judging = [known for known in stages if judges_of(known)]
    if not judging:
        raise InvalidJob([Problem("spec.stages", f"no stage {'of this name' if stage else 'of this job'} has a judge")])
    return max(_trainer("alignment_trainer.check_judge", job, spec, known, home) for known in judging)


def _stages(spec: AlignmentJobSpec) -> list[Stage]:
    return spec.stages or []


def _named(spec: AlignmentJobSpec, name: str) -> Stage:
    found = next((stage for stage in _stages(spec) if stage.name == name), None)
    if found is None:
        names = ", ".join(stage.name for stage in _stages(spec))
        raise InvalidJob([Problem("--stage", f"{name!r} is not a stage of this job; name one of {names}")])
    return found


def _trainer(module: str, job: AlignmentJob, spec: AlignmentJobSpec, stage: Stage, home: Home, *options: str) -> int:
    """Run a module of the trainer, which the operator must not import, with the RunConfig of a stage."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / RUN_CONFIG_FILE
        config.write_text(_run_config(job, spec, stage, home), encoding="utf-8")
        try:
            code = subprocess.call([sys.executable, "-m", module, str(config), *options])
        except KeyboardInterrupt:
            return _INTERRUPTED
    return {-signal.SIGPIPE: UNREAD, -signal.SIGINT: _INTERRUPTED}.get(code, code)


def _run_config(job: AlignmentJob, spec: AlignmentJobSpec, stage: Stage, home: Home) -> str:
    identity = {"uid": _NO_UID, "namespace": job.metadata.namespace or "default"}
    named = job.model_copy(update={"metadata": job.metadata.model_copy(update=identity)})
    companion, _ = ON_MACHINE.render(fresh_run(named, spec, stage), local_settings(LocalCluster(home)))
    return str(companion["data"][RUN_CONFIG_FILE])
