"""Starts the trainer on this machine to check or to show the rows of a job, before the job runs."""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from alignment_api.home import Home
from alignment_api.names import RUN_CONFIG_FILE
from alignment_api.problems import InvalidJob, Problem
from alignment_api.resolving.validation import runnable_job
from alignment_api.spec.job import AlignmentJob

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
    return _trainer("alignment_trainer.validate_data", job, home, "--name", str(file))


def show_data(job: AlignmentJob, home: Home, stage: str | None, rows: int) -> int:
    """Print the first rows of each dataset as training reads them."""
    names = [known.name for known in runnable_job(job).spec.stages or []]
    if stage is not None and stage not in names:
        raise InvalidJob([Problem("--stage", f"{stage!r} is not a stage of this job; name one of {', '.join(names)}")])
    return _trainer("alignment_trainer.show_data", job, home, "-n", str(rows), *(["--stage", stage] if stage else []))


def _trainer(module: str, job: AlignmentJob, home: Home, *options: str) -> int:
    """Run a module of the trainer, which the operator must not import, with the RunConfig of the job's first stage."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / RUN_CONFIG_FILE
        config.write_text(_run_config(job, home), encoding="utf-8")
        try:
            code = subprocess.call([sys.executable, "-m", module, str(config), *options])
        except KeyboardInterrupt:
            return _INTERRUPTED
    return {-signal.SIGPIPE: UNREAD, -signal.SIGINT: _INTERRUPTED}.get(code, code)


def _run_config(job: AlignmentJob, home: Home) -> str:
    identity = {"uid": _NO_UID, "namespace": job.metadata.namespace or "default"}
    named = job.model_copy(update={"metadata": job.metadata.model_copy(update=identity)})
    spec = runnable_job(job).spec
    first, *_ = spec.stages or []
    companion, _ = ON_MACHINE.render(fresh_run(named, spec, first), local_settings(LocalCluster(home)))
    return str(companion["data"][RUN_CONFIG_FILE])
