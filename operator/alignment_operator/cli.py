"""The `alignment` command: run, sync, explain, validate and render jobs, show their data, and list recipes."""

import argparse
import asyncio
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from alignment_api.document import UnreadableDocument, read_document, write_documents
from alignment_api.exit_codes import consequence
from alignment_api.home import Home
from alignment_api.memory.shape import UnknownShape
from alignment_api.names import MODEL_FOLDER, WORKSPACE_PREFIX, job_folder
from alignment_api.problems import InvalidJob
from alignment_api.resolving.recipes import UnknownRecipe, recipe_names, recipe_text
from alignment_api.resolving.record import settle
from alignment_api.resolving.validation import read_job, resolve_job, runnable_job
from alignment_api.resolving.warnings import spec_warnings
from alignment_api.spec.job import AlignmentJob, AlignmentJobSpec
from alignment_api.spec.status import AlignmentJobStatus

from alignment_operator.backends.chosen import ON_CLUSTER
from alignment_operator.deciding.job_status import is_finished
from alignment_operator.deciding.observation import Child, Key
from alignment_operator.deciding.stage_run import fresh_run
from alignment_operator.machine import trainer_data
from alignment_operator.machine.explanation import batch_lines, explanation
from alignment_operator.machine.memory_table import gpu_memory, host_line, memory_line, memory_table
from alignment_operator.machine.run import local_settings, run_until_ended
from alignment_operator.machine.stored_job import stored_job
from alignment_operator.machine.terminal import Printer, TerminalView, summary_table
from alignment_operator.machine.world import LocalCluster
from alignment_operator.settings import WrongSettings, read_settings

SUCCEEDED, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130
_MOST_ROWS = 1000

_HOME_HELP = "the folder of jobs and their results (default: ALIGNMENT_HOME, or .alignment)"

# Replaces the uid of the API server, which `render` does not ask.
_NO_UID = "00000000-0000-0000-0000-000000000000"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        code = command(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader, such as `head`, has ended. What is left in the buffers goes nowhere, or Python would complain at its end.
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return trainer_data.UNREAD
    except (UnreadableDocument, InvalidJob, UnknownRecipe, WrongSettings) as error:
        return _refuse(str(error))


def _home(options: argparse.Namespace) -> Home:
    return Home(options.home) if options.home else Home.from_environment()


def _refuse(problems: str) -> int:
    for line in problems.splitlines():
        print(f"error: {line}", file=sys.stderr)
    return REFUSED


def _warn(warnings: Iterable[str]) -> None:
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def run(options: argparse.Namespace) -> int:
    """Run a job on this machine, or resume it."""
    job = read_job(read_document(options.file))
    home = _home(options)
    cluster = LocalCluster(home)
    settings = local_settings(cluster)
    key = Key(job.metadata.namespace or "default", job.metadata.name)
    settled = settle(cluster.with_status(job))
    if settled.refusal:
        return _refuse(settled.refusal)
    try:
        home.objects.mkdir(parents=True, exist_ok=True)
        stored = cluster.apply(job) if cluster.lock(key) else None
    except OSError as error:
        return _refuse(f"{home.root}: jobs cannot be stored here ({error.strerror}); name a writable folder with --home")
    if stored is None:
        return _refuse(f"another `alignment run` is running {key.namespace}/{key.name}; wait until it ends, or stop it")
    if is_finished(stored.status) and stored.status and stored.status.observed_generation == stored.metadata.generation:
        print(
            "already finished; edit the spec to run the stages that the edit changes, or rename the job to run it again",
            file=sys.stderr,
        )
        return _conclude(cluster, stored, options.file)
    _warn(map(str, spec_warnings(settled.spec)))
    try:
        with TerminalView(Printer()) as view:
            ended = asyncio.run(run_until_ended(cluster, settings, key, view))
    except KeyboardInterrupt:
        print("Exiting now. Training saves a checkpoint in the background and then stops.", file=sys.stderr)
        return INTERRUPTED
    return _conclude(cluster, ended, options.file)


def _conclude(cluster: LocalCluster, job: AlignmentJob, file: Path) -> int:
    assert job.status is not None
    stages = job.status.stages or []
    folders = {stage.name: cluster.stage_path(job, stage.name) for stage in stages}
    console = Printer()
    console.print(summary_table(job, folders))
    _warn(job.status.all_warnings)
    if job.status.phase == "Succeeded":
        programs, database = f"{_near(Path(sys.prefix))}/bin", shlex.quote(cluster.home.tracking_uri)
        for line in (
            result_line(cluster.home, stages[-1].output or ""),
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
    """Return the line that names the folder of the job's result: the model, or what the last stage wrote instead."""
    folder = home.workspace / output.removeprefix(WORKSPACE_PREFIX)
    return f"{'model' if folder.name == MODEL_FOLDER else 'output':<10} {_near(folder)}"


def _report_failure(cluster: LocalCluster, job: AlignmentJob, status: AlignmentJobStatus) -> int:
    print(f"error: {status.message}", file=sys.stderr)
    name = next((stage.child for stage in status.stages or [] if stage.state == "Failed" and stage.child), None)
    if name is None:
        return FAILED
    print(f"log: {_near(cluster.log_file(job, name))}", file=sys.stderr)
    return failure_code(next((child for child in asyncio.run(cluster.children(job)) if child.name == name), None))


def failure_code(child: Child | None) -> int:
    """Return the trainer's exit code if a retry would fail in the same way, so that scripts can distinguish such failures."""
    if child and child.exit_code and consequence(child.exit_code, child.reason) == "Permanent":
        return child.exit_code
    return FAILED


def _near(path: Path) -> Path:
    """Return a path relative to the current folder if it is below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def sync(options: argparse.Namespace) -> int:
    """Send to MLflow what it has not received from the jobs of this machine."""
    home = _home(options)
    jobs = [stored_job(path) for path in home.job_files()]
    wanted = [job.metadata for job in jobs if options.job in (None, job.metadata.name)]
    if options.job and not wanted:
        print(f"error: {home.root} has no job {options.job}; name a job that `alignment run` has run", file=sys.stderr)
        return REFUSED
    folders = [home.workspace / job_folder(known.namespace or "default", known.name, known.uid or "") for known in wanted]
    existing = [str(folder) for folder in folders if folder.is_dir()]
    # In a process of its own, since the operator must not import the trainer.
    return subprocess.call([sys.executable, "-m", "alignment_trainer.sync", *existing]) if existing else SUCCEEDED


def explain(options: argparse.Namespace) -> int:
    """Print every value of the resolved job and where it came from."""
    resolved = resolve_job(read_job(read_document(options.file)))
    console = Printer(width=None if sys.stdout.isatty() else 200)
    console.print(explanation(resolved))
    for line in batch_lines(resolved.spec):
        console.print(line, highlight=False)
    _explain_memory(resolved.spec, console)
    _warn(map(str, spec_warnings(resolved.spec)))
    return SUCCEEDED


def _explain_memory(spec: AlignmentJobSpec, console: Printer) -> None:
    try:
        memories = gpu_memory(spec, Home.from_environment().workspace)
    except UnknownShape as error:
        console.print(f"memory: unknown, because the size of the model is unknown: {error}", highlight=False, markup=False)
        return
    if memories:
        console.print(memory_table(memories))
    for memory in memories:
        for line in filter(None, (memory_line(memory), host_line(memory))):
            console.print(line, highlight=False, markup=False)


def validate(options: argparse.Namespace) -> int:
    """Check jobs without running them."""
    home = _home(options) if options.data else None
    answers = [_validate_one(file, home) for file in options.file]
    return SUCCEEDED if all(answers) else REFUSED


def _validate_one(file: Path, home: Home | None) -> bool:
    """Check one file, and with a home also the data of its job."""
    try:
        job = read_job(read_document(file))
        resolved = runnable_job(job)
    except InvalidJob as error:
        for line in str(error).splitlines():
            print(f"error: {file}: {line}", file=sys.stderr)
        return False
    except UnreadableDocument as error:
        print(f"error: {error}", file=sys.stderr)
        return False
    if home and trainer_data.check_data(job, home, file) != SUCCEEDED:
        return False
    print(f"{file}: valid")
    _warn(f"{file}: {warning}" for warning in spec_warnings(resolved.spec))
    return True


def show_data(options: argparse.Namespace) -> int:
    """Show how the first rows of each dataset are read, and which of their tokens are learned."""
    return trainer_data.show_data(read_job(read_document(options.file)), _home(options), options.stage, options.rows)


def render(options: argparse.Namespace) -> int:
    """Print the Kubernetes objects of a job."""
    job = read_job(read_document(options.file))
    resolved = resolve_job(job)
    named = job.model_copy(
        update={"metadata": job.metadata.model_copy(update={"uid": _NO_UID, "namespace": job.metadata.namespace or "default"})}
    )
    settings = read_settings()
    manifests: list[object] = []
    for stage in resolved.spec.stages or []:
        for manifest in ON_CLUSTER.render(fresh_run(named, resolved.spec, stage), settings):
            if manifest not in manifests:
                manifests.append(manifest)
    print(write_documents(manifests), end="")
    return SUCCEEDED


def recipes(options: argparse.Namespace) -> int:
    """List the recipes, or print one with the origin of every value."""
    if options.name:
        print(recipe_text(options.name), end="")
        return SUCCEEDED
    for name in recipe_names():
        print(f"{name:18}{recipe_text(name).splitlines()[0].removeprefix('# ').split('. ')[0].removesuffix('.')}")
    return SUCCEEDED


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_ROWS:
        raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from 1 to {_MOST_ROWS}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="alignment", description="Align a language model: one resource, from base weights to a measured result."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command, several in ((run, False), (explain, False), (validate, True), (show_data, False), (render, False)):
        known = commands.add_parser(command.__name__.replace("_", "-"), help=command.__doc__, description=command.__doc__)
        known.add_argument("file", type=Path, nargs="+" if several else None, metavar="FILE", help="an AlignmentJob in YAML")
        known.set_defaults(command=command)
        if command in (run, validate, show_data):
            known.add_argument("--home", type=Path, help=_HOME_HELP)
        if command is validate:
            known.add_argument("--data", action="store_true", help="check all files and rows too, as they are on this machine")
        if command is show_data:
            known.add_argument("--stage", help="only this stage")
            known.add_argument("-n", dest="rows", type=_count, default=3, metavar="N", help="rows of each dataset (default: 3)")
    known = commands.add_parser("sync", help=sync.__doc__, description=sync.__doc__)
    known.add_argument("job", nargs="?", help="only the jobs of this name")
    known.add_argument("--home", type=Path, help=_HOME_HELP)
    known.set_defaults(command=sync)
    known = commands.add_parser("recipes", help=recipes.__doc__, description=recipes.__doc__)
    known.add_argument("name", nargs="?", help="print this one")
    known.set_defaults(command=recipes)
    return parser


if __name__ == "__main__":
    sys.exit(main())
