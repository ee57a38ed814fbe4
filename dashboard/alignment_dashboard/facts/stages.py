"""Which stages of jobs train a model or write rows, and of what kind they are."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from alignment_api.names import stage_folder
from alignment_api.results.collected import reports
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.kinds import KINDS


def trained_stages(job: AlignmentJob) -> dict[str, str]:
    """Return the kind of each stage that trains, by its name; the models of these answer the prompts of the job."""
    return {stage.name: stage.kind for stage in job.spec.stages or [] if KINDS[stage.kind].trains}


def measured_stages(job: AlignmentJob) -> dict[str, str]:
    """Return the kind of each stage that trains or writes rows, by its name; these have curves."""
    kinds = {stage.name: stage.kind for stage in job.spec.stages or []}
    return {name: kind for name, kind in kinds.items() if KINDS[kind].trains or writes_rows(kind)}


def reporting_stages(job: AlignmentJob) -> dict[str, str]:
    """Return the kind of each stage that evaluates or exports, by its name; these write reports."""
    return {stage.name: stage.kind for stage in job.spec.stages or [] if reports(stage.kind)}


def writes_rows(kind: str) -> bool:
    """Return whether a stage of this kind writes rows and trains no model: its steps are rows."""
    return kind in KINDS and KINDS[kind].leaves == "Rows"


def measured_in(jobs: Sequence[AlignmentJob]) -> list[str]:
    """Return the names of all stages that have curves, in the order of the jobs and of their stages."""
    return list(dict.fromkeys(stage for job in jobs for stage in measured_stages(job)))


def trained_in(jobs: Sequence[AlignmentJob]) -> list[str]:
    """Return the names of all stages that train, in the same order."""
    return list(dict.fromkeys(stage for job in jobs for stage in trained_stages(job)))


def kind_of(jobs: Sequence[AlignmentJob], stage: str) -> str:
    """Return the kind of a stage in the first of the jobs where it has curves; empty if it has none in any."""
    return next((measured_stages(job)[stage] for job in jobs if stage in measured_stages(job)), "")


def folder_of(job: AlignmentJob, stage: str) -> PurePosixPath:
    """Return the folder of a stage below the workspace."""
    return stage_folder(job.metadata.namespace or "default", job.metadata.name, job.metadata.uid or "", stage)
