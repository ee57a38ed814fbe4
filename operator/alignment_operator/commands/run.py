"""Runs a job on this machine until it ends, and says where its result is."""

import argparse
import asyncio
import shlex
import sys
from pathlib import Path

from alignment_api.document import read_document
from alignment_api.exit_codes import consequence
from alignment_api.home import Home
from alignment_api.names import MODEL_FOLDER, WORKSPACE_PREFIX
from alignment_api.resolving.record import settle
from alignment_api.resolving.validation import read_job
from alignment_api.resolving.warnings import spec_warnings
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.lineage import last_stages
from alignment_api.spec.status import AlignmentJobStatus

from alignment_operator.commands.ending import FAILED, INTERRUPTED, SUCCEEDED, refuse, warn
from alignment_operator.deciding.job_status import is_finished
from alignment_operator.deciding.observation import Child, Key
from alignment_operator.machine.run import local_settings, run_until_ended
from alignment_operator.machine.terminal import Printer, TerminalView, summary_table
from alignment_operator.machine.world import LocalCluster


def run(options: argparse.Namespace) -> int:
    """Run a job on this machine, or resume it."""
    job = read_job(read_document(options.file))
    home = options.home
    cluster = LocalCluster(home)
    settings = local_settings(cluster)
    key = Key(job.metadata.namespace or "default", job.metadata.name)
    settled = settle(cluster.with_status(job))
    if settled.refusal:
        return refuse(settled.refusal)
    try:
        home.objects.mkdir(parents=True, exist_ok=True)
        stored = cluster.apply(job) if cluster.lock(key) else None
    except OSError as error:
        return refuse(f"{home.root}: jobs cannot be stored here ({error.strerror}); name a writable folder with --home")
    if stored is None:
        return refuse(f"another `alignment run` is running {key.namespace}/{key.name}; wait until it ends, or stop it")
    if is_finished(stored.status) and stored.status and stored.status.observed_generation == stored.metadata.generation:
        print(
            "already finished; edit the spec to run the stages that the edit changes, or rename the job to run it again",
            file=sys.stderr,
        )
        return _conclude(cluster, stored, options.file)
    warn(map(str, spec_warnings(settled.spec)))
    try:
        with TerminalView(Printer()) as view:
            ended = asyncio.run(run_until_ended(cluster, settings, key, view))
    except KeyboardInterrupt:
        print("Exiting now. Training saves a checkpoint in the background and then stops.", file=sys.stderr)
        return INTERRUPTED
    return _conclude(cluster, ended, options.file)


def _conclude(cluster: LocalCluster, job: AlignmentJob, file: Path) -> int:
    assert job.status is not None
    stages, spec = job.status.stages or [], settle(job).spec
    folders = {stage.name: cluster.stage_path(job, stage.name) for stage in stages}
    console = Printer()
    console.print(summary_table(job, folders))
    warn(job.status.all_warnings)
    if job.status.phase == "Succeeded":
        programs, database = f"{_near(Path(sys.prefix))}/bin", shlex.quote(cluster.home.tracking_uri)
        last = {stage.name for stage in last_stages(spec)}
        for line in (
            *(result_line(cluster.home, stage.output or "") for stage in stages if stage.name in last),
            f"metrics    {programs}/mlflow ui --backend-store-uri {database}",
            f"dashboard  {programs}/python -m alignment_dashboard --home {shlex.quote(str(_near(cluster.home.root)))}",
        ):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        return SUCCEEDED
    if job.status.phase == "Suspended":
        how = (
            f"`alignment run {file}` resumes it"
            if cluster.stop_requested
            else f"set suspend to false in {file} and run it again to resume it"
        )
        print(f"stopped; {how}", file=sys.stderr)
        return INTERRUPTED if cluster.stop_requested else SUCCEEDED
    return _report_failure(cluster, job, job.status)


def result_line(home: Home, output: str) -> str:
    """Return the line that names the folder of a result: the model, or what a last stage wrote instead."""
    folder = home.workspace / output.removeprefix(WORKSPACE_PREFIX)
    return f"{'model' if folder.name == MODEL_FOLDER else 'output':<10} {_near(folder)}"


def _report_failure(cluster: LocalCluster, job: AlignmentJob, status: AlignmentJobStatus) -> int:
    print(f"error: {status.message}", file=sys.stderr)
    names = [stage.child for stage in status.stages or [] if stage.state == "Failed" and stage.child]
    if not names:
        return FAILED
    for name in names:
        print(f"log: {_near(cluster.log_file(job, name))}", file=sys.stderr)
    return failure_code(next((child for child in asyncio.run(cluster.children(job)) if child.name == names[0]), None))


def failure_code(child: Child | None) -> int:
    """Return the trainer's exit code if a retry would fail in the same way, so that scripts can distinguish such failures."""
    if child and child.exit_code and consequence(child.exit_code, child.reason) == "Permanent":
        return child.exit_code
    return FAILED


def _near(path: Path) -> Path:
    """Return a path relative to the current folder if it is below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
