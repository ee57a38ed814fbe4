"""The page of one job: its state, its progress stage by stage, and charts that grow while it trains."""

from datetime import UTC, datetime

import streamlit as st
from alignment_api.durations import readable_duration
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import ENDED, Condition, StageStatus

from alignment_dashboard import cache
from alignment_dashboard.data.listing import Listing
from alignment_dashboard.facts.status import (
    BADGES,
    attention,
    current_stage,
    percent_of,
    phase_of,
    stages_of,
    status_of,
    time_left,
    write_reason,
)
from alignment_dashboard.pictures.panels import metrics_of, panels_of
from alignment_dashboard.pictures.summary import summarize
from alignment_dashboard.pictures.trace import Trace
from alignment_dashboard.pieces import panel_view
from alignment_dashboard.pieces.notice import show_failures, show_notice
from alignment_dashboard.text import plain
from alignment_dashboard.units import write_age

LIVE_SECONDS = 2
# A job that has ended may be started again, so it is still read, but less often.
ENDED_SECONDS = 15


def show() -> None:
    """Draw the page of the job that the query parameter `job` identifies."""
    st.page_link("app_pages/runs.py", label="All jobs", icon=":material/arrow_back:")
    identity = st.query_params.get("job", "")
    job = cache.listing().find(identity)
    if job is None:
        st.fragment(_wait_for, run_every=LIVE_SECONDS)(identity)
        return
    pause = ENDED_SECONDS if phase_of(job) in ENDED else LIVE_SECONDS
    st.fragment(_show_head, run_every=LIVE_SECONDS)(identity, _phase_and_stage(job))
    st.fragment(_watch_charts, run_every=pause)(identity)


def _phase_and_stage(job: AlignmentJob) -> tuple[str, str | None]:
    stage = current_stage(job)
    return phase_of(job), stage.name if stage else None


def _wait_for(identity: str) -> None:
    listing = cache.listing()
    if listing.find(identity):
        st.rerun()
    _show_missing(identity, listing)


def _show_missing(identity: str, listing: Listing) -> None:
    if not identity:
        st.subheader("No job chosen", anchor=False)
        st.text("Choose one from the list of all jobs.")
        return
    show_failures(listing.failures)
    if not listing.complete:
        st.text("This page shows the job as soon as the jobs can be read.")
        return
    st.subheader("Job not found", anchor=False)
    st.text(f"No job has the id {identity}: {listing.guidance.missing}")
    for problem in listing.problems:
        show_notice("Unreadable", "orange", problem)


def _show_head(identity: str, drawn: tuple[str, str | None]) -> None:
    listing, now = cache.listing(), datetime.now(UTC)
    job = listing.find(identity)
    if job is None:
        _show_missing(identity, listing)
        return
    if _phase_and_stage(job) != drawn:
        st.rerun()  # which charts are drawn depends on the stage, and how often they are read on the phase
    show_failures(listing.failures)
    status, badge = status_of(job), BADGES[phase_of(job)]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(plain(job.metadata.name), anchor=False, width="content")
        st.badge(badge.label, color=badge.colour)
    st.text(_summary(job, now))
    why, reason = attention(job, now, listing.guidance), write_reason(status.reason, status.message)
    if why:
        show_notice(why.reason, why.colour, why.message)
    if reason and not (why and why.message == status.message):
        st.text(reason)
    if status.observed_generation is not None and status.observed_generation < (job.metadata.generation or 0):
        st.caption("The operator has not acted on the last change of the spec yet.")
    _show_numbers(job, now)
    _show_stages(job, now)
    _show_warnings(status.all_warnings)
    if status.conditions:
        _show_conditions(status.conditions, now)


def _summary(job: AlignmentJob, now: datetime) -> str:
    status = status_of(job)
    model = status.model or (job.spec.model.uri if job.spec.model else None) or f"model of recipe {job.spec.recipe}"
    return f"{model}  ·  namespace {job.metadata.namespace or 'default'}  ·  started {write_age(status.start_time, now)}"


def _show_numbers(job: AlignmentJob, now: datetime) -> None:
    status, percent = status_of(job), percent_of(job)
    took = ((status.completion_time or now) - status.start_time).total_seconds() if status.start_time else None
    with st.container(horizontal=True, gap="medium"):
        st.metric("Progress", "–" if percent is None else f"{percent}%", width="content")
        st.metric("Time left in this stage", time_left(job, now) or "–", width="content")
        st.metric(
            "Took" if status.completion_time else "Running for", "–" if took is None else readable_duration(took), width="content"
        )
        st.metric("GPUs", "–" if status.gpus is None else status.gpus, width="content")


def _show_stages(job: AlignmentJob, now: datetime) -> None:
    with st.grid(min_column_width=260, border=True) as grid:
        for stage in stages_of(job):
            with grid.cell():
                _show_stage(stage, now)


def _show_stage(stage: StageStatus, now: datetime) -> None:
    badge, progress = BADGES[stage.state], stage.progress
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(stage.name)}**", width="content")
        st.badge(badge.label, color=badge.colour)
    if progress:
        st.progress(progress.percent, text=f"{progress.step:,} of {progress.total_steps:,} steps")
    took = (
        readable_duration(((stage.completion_time or now) - stage.start_time).total_seconds())
        if stage.start_time
        else "not started"
    )
    st.caption(
        plain("  ·  ".join(part for part in (took, _write_attempts(stage), stage.child, _write_retry(stage, now)) if part))
    )
    reason = write_reason(stage.reason, stage.message)
    if reason:
        st.text(reason)


def _show_warnings(warnings: list[str]) -> None:
    if not warnings:
        return
    with st.container(border=True, gap="xsmall"):
        st.markdown("**Warnings**")
        for warning in warnings:
            st.text(warning)


def _write_attempts(stage: StageStatus) -> str:
    count = "1 attempt" if stage.attempts == 1 else f"{stage.attempts} attempts"
    return count if stage.attempts else ""


def _write_retry(stage: StageStatus, now: datetime) -> str:
    if stage.retry_time is None or stage.state in ENDED:
        return ""
    left = (stage.retry_time - now).total_seconds()
    return f"next attempt in {readable_duration(left)}" if left > 0 else "next attempt any moment"


def _show_conditions(conditions: list[Condition], now: datetime) -> None:
    with st.expander("Conditions"):
        st.dataframe(
            [
                {
                    "Condition": condition.type,
                    "Status": condition.status,
                    "Reason": condition.reason,
                    "Message": condition.message,
                    "Since": write_age(condition.last_transition_time, now),
                }
                for condition in conditions
            ],
            hide_index=True,
            alt="The job's conditions, as Kubernetes writes them",
        )


def _watch_charts(identity: str) -> None:
    job = cache.listing().find(identity)
    if job is None:
        return
    kinds = {stage.name: stage.kind for stage in job.spec.stages or []}
    charted = [stage.name for stage in stages_of(job) if panels_of(kinds.get(stage.name, ""))]
    if not charted:
        st.text("None of this job's stages has charts.")
        return
    current = current_stage(job)
    default = current.name if current and current.name in charted else charted[0]
    # The key contains the current stage, so that the selection follows the job into its next stage.
    stage = st.segmented_control("Charts of stage", charted, default=default, required=True, key=f"stage-{default}")
    _show_charts(identity, stage, kinds[stage])


def _show_charts(identity: str, stage: str, kind: str) -> None:
    panels = panels_of(kind)
    curves = cache.curves(identity, stage, metrics_of(panels))
    if curves.problem:
        show_notice("No charts", "gray", curves.problem)
        return
    if not any(len(history.steps) for history in curves.value.values()):
        show_notice("No charts", "gray", f"Stage {stage} has no points yet. Its charts appear here as soon as it trains.")
        return
    trace = Trace(identity, stage, "", "solid", curves.value)
    panel_view.show_panels(panels, [trace], panel_view.choose_display(), summarize(panels, curves.value), key=f"panels-{stage}")


show()
