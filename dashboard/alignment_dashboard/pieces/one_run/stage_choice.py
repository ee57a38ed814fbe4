"""The choice of a stage, in the address."""

import streamlit as st
from alignment_api.spec.job import AlignmentJob

from alignment_dashboard import cache
from alignment_dashboard.facts.stages import measured_stages
from alignment_dashboard.facts.status import current_stage
from alignment_dashboard.pictures.panels import panels_of
from alignment_dashboard.pieces.address import bind_choice, follow

STAGE = "stage"


def charted(job: AlignmentJob) -> list[str]:
    """Return the names of the stages that have panels."""
    return [name for name, kind in measured_stages(job).items() if panels_of(kind)]


def choose_stage(identity: str) -> str | None:
    """Show the stages with curves, and return the chosen one; until a reader chooses, it follows the run into its next stage."""
    job = cache.listing().find(identity)
    names = charted(job) if job else []
    if job is None or not names:
        return None
    current = current_stage(job)
    default = current.name if current and current.name in names else names[0]
    key = bind_choice(STAGE, names, default)
    chosen = st.segmented_control("Stage", names, required=True, key=key, on_change=follow, args=(STAGE, default))
    return str(chosen or default)
