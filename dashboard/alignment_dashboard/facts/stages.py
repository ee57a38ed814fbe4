"""Which stages of jobs train a model, and of what kind they are."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from alignment_api.names import stage_folder
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.kinds import KINDS


def trained_stages(job: AlignmentJob) -> dict[str, str]:
    """Return the kind of each stage that trains, by its name; only these have curves and samples."""
    return {stage.name: stage.kind for stage in job.spec.stages or [] if KINDS[stage.kind].trains}


def stages_in(jobs: Sequence[AlignmentJob]) -> list[str]:
    """Return the names of all stages that train, in the order of the jobs and of their stages."""
    return list(dict.fromkeys(stage for job in jobs for stage in trained_stages(job)))


def kind_of(jobs: Sequence[AlignmentJob], stage: str) -> str:
    """Return the kind of a stage in the first of the jobs where it trains; empty if it trains in none."""
    return next((trained_stages(job)[stage] for job in jobs if stage in trained_stages(job)), "")


def folder_of(job: AlignmentJob, stage: str) -> PurePosixPath:
    """Return the folder of a stage below the workspace."""
    return stage_folder(job.metadata.namespace or "default", job.metadata.name, job.metadata.uid or "", stage)
