"""The choice of a stage, in the address."""

import streamlit as st
from alignment_api.spec.job import AlignmentJob

from alignment_dashboard import cache
from alignment_dashboard.facts.status import current_stage, stages_of
from alignment_dashboard.pictures.panels import panels_of
from alignment_dashboard.pieces.address import bind_choice, follow

STAGE = "stage"


def charted(job: AlignmentJob) -> list[str]:
    """Return the names of the stages that train."""
    return [stage.name for stage in stages_of(job) if panels_of(kind_of(job, stage.name))]


def kind_of(job: AlignmentJob, stage: str) -> str:
    """Return the kind of a stage."""
    return next((known.kind for known in job.spec.stages or [] if known.name == stage), "")


def choose_stage(identity: str) -> str | None:
    """Show the stages that train, and return the chosen one; until somebody chooses, it follows the run into its next stage."""
    job = cache.listing().find(identity)
    names = charted(job) if job else []
    if job is None or not names:
        return None
    current = current_stage(job)
    default = current.name if current and current.name in names else names[0]
    key = bind_choice(STAGE, names, default)
    chosen = st.segmented_control("Stage", names, required=True, key=key, on_change=follow, args=(STAGE, default))
    return str(chosen or default)
