"""Commands about a run for people to copy."""

import shlex
import sys
from pathlib import Path
from typing import NamedTuple

from alignment_api.names import JOB_LABEL, LOG_FILE, STAGE_LABEL
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import ENDED

from alignment_dashboard.facts.stages import folder_of
from alignment_dashboard.facts.status import phase_of


class Command(NamedTuple):
    """What a command does, and its text."""

    purpose: str
    text: str


def follow_log(job: AlignmentJob, stage: str, workspace: Path | None) -> str:
    """Return the command that follows a stage's log; a workspace means that the job runs on this machine."""
    if workspace is None:
        selector = f"{JOB_LABEL}={job.metadata.name},{STAGE_LABEL}={stage}"
        return shlex.join(["kubectl", "logs", *_namespace(job), "--selector", selector, "--follow", "--tail", "50"])
    return shlex.join(["tail", "-n", "50", "-F", str(workspace / folder_of(job, stage) / LOG_FILE)])


def open_mlflow(database: str) -> str:
    """Return the command that serves MLflow's own pages, as `alignment run` prints it at its end."""
    return shlex.join([str(Path(sys.prefix) / "bin" / "mlflow"), "ui", "--backend-store-uri", database])


def commands(job: AlignmentJob, stages: list[str], workspace: Path | None, database: str | None) -> list[Command]:
    """Return the commands that a person needs about a run; the database is MLflow's, if it is on this machine."""
    of = [f" of {stage}" if len(stages) > 1 else "" for stage in stages]
    follow = [Command(f"follow the log{name}", follow_log(job, stage, workspace)) for stage, name in zip(stages, of, strict=True)]
    if workspace is not None:
        return [
            *follow,
            Command("explain every value", f"alignment explain {shlex.quote(job.metadata.name)}.yaml"),
            Command("run it, or resume it", f"alignment run {shlex.quote(job.metadata.name)}.yaml"),
            *([Command("see its metrics in MLflow", open_mlflow(database))] if database else []),
        ]
    resumes = bool(job.spec.suspend)
    patch = f'{{"spec":{{"suspend":{"false" if resumes else "true"}}}}}'
    word = "resume it" if resumes else "suspend it; it keeps its checkpoints"
    suspend = Command(word, shlex.join(["kubectl", "patch", *_name(job), "--type", "merge", "--patch", patch]))
    return [
        Command("show its state", shlex.join(["kubectl", "get", *_name(job), "--output", "wide"])),
        Command("describe it, with its events", shlex.join(["kubectl", "describe", *_name(job)])),
        *follow,
        *([] if phase_of(job) in ENDED else [suspend]),
    ]


def _name(job: AlignmentJob) -> list[str]:
    return ["alignmentjob", job.metadata.name, *_namespace(job)]


def _namespace(job: AlignmentJob) -> list[str]:
    return ["--namespace", job.metadata.namespace or "default"]
