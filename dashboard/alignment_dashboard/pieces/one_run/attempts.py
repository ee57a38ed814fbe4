"""The tab with what happened to a run: events, attempts of each stage, and conditions."""

import streamlit as st
from alignment_api.spec.job import AlignmentJob

from alignment_dashboard import cache
from alignment_dashboard.facts.status import BADGES, stages_of, status_of
from alignment_dashboard.pieces.notice import show_notice

MISSING = "–"
MOMENT = st.column_config.DatetimeColumn(format="distance")


def moment(identity: str) -> object:
    """Return what the events are drawn from; the head is drawn from the whole job."""
    job = cache.listing().find(identity)
    return cache.events(job)[:2] if job else None


def show(identity: str) -> None:
    """Show what happened to a run, the newest first."""
    job = cache.listing().find(identity)
    if job is None:
        return
    _show_attempts(job)
    _show_events(job)
    _show_conditions(job)


def _show_attempts(job: AlignmentJob) -> None:
    st.header("Attempts", anchor=False)
    st.dataframe(
        [
            {
                "Stage": stage.name,
                "State": BADGES[stage.state].label,
                "Attempts": stage.attempts,
                "Own failures": stage.application_failures,
                "Failures of the cluster": stage.infrastructure_failures,
                "Hours": stage.active_seconds / 3600,
                "GPU-hours": stage.gpu_seconds / 3600,
                "Newest checkpoint": stage.last_checkpoint,
                "Object": stage.child,
                "Reason": stage.reason,
                "Message": stage.message,
            }
            for stage in stages_of(job)
        ],
        hide_index=True,
        placeholder=MISSING,
        column_config={name: st.column_config.NumberColumn(format="%.2f") for name in ("Hours", "GPU-hours")},
        alt="The stages of the run, with their attempts and failures",
    )


def _show_events(job: AlignmentJob) -> None:
    known = cache.events(job)
    st.header("Events", anchor=False)
    if known.problem:
        show_notice("Events", "orange", known.problem)
    if not known.value:
        st.text("There are no events. Kubernetes keeps them for an hour; a run on this machine has none.")
        return
    st.dataframe(
        [
            {"When": event.time, "Type": event.type, "Reason": event.reason, "Message": event.message, "Times": event.times}
            for event in known.value
        ],
        hide_index=True,
        placeholder=MISSING,
        column_config={"When": MOMENT, "Message": st.column_config.TextColumn(width="large")},
        alt="The events of the run, the newest first",
    )


def _show_conditions(job: AlignmentJob) -> None:
    conditions = status_of(job).conditions or []
    if not conditions:
        return
    st.header("Conditions", anchor=False)
    st.dataframe(
        [
            {
                "Condition": condition.type,
                "Status": condition.status,
                "Reason": condition.reason,
                "Message": condition.message,
                "Since": condition.last_transition_time,
            }
            for condition in conditions
        ],
        hide_index=True,
        placeholder=MISSING,
        column_config={"Since": MOMENT, "Message": st.column_config.TextColumn(width="large")},
        alt="The conditions of the job, as Kubernetes writes them",
    )
