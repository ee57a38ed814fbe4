"""The head of the page: which run it is, how it is, how far it is, and why."""

from datetime import UTC, datetime

import streamlit as st
from alignment_api.durations import readable_duration
from alignment_api.progress.asked import is_of_rows
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import ENDED, Progress, StageStatus

from alignment_dashboard import cache
from alignment_dashboard.data.listing import Guidance, identify
from alignment_dashboard.data.source import workspace
from alignment_dashboard.facts.branches import Branch, branches_of, is_chain
from alignment_dashboard.facts.one_run.asked import Asked, asked_by
from alignment_dashboard.facts.one_run.cause import Cause, causes_of
from alignment_dashboard.facts.one_run.commands import commands
from alignment_dashboard.facts.one_run.judged import judged_lines
from alignment_dashboard.facts.status import (
    BADGES,
    current_stages,
    gpu_hours,
    model_of,
    percent_of,
    phase_of,
    stages_of,
    status_of,
    time_left,
)
from alignment_dashboard.pieces.one_run import curves
from alignment_dashboard.pieces.one_run.stage_choice import charted
from alignment_dashboard.store.address import database
from alignment_dashboard.text import plain
from alignment_dashboard.units import write_age, write_duration

MESSAGE_HEIGHT = 260
HELP = {"Stage ETA": "Time left in the current stage; of several, the longest", "GPU-hours": "GPUs times hours, of all attempts"}


def show(job: AlignmentJob, guidance: Guidance) -> None:
    """Show the head of a run."""
    now = datetime.now(UTC)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        badge = BADGES[phase_of(job)]
        st.title(plain(job.metadata.name), anchor=False, width="content")
        st.badge(badge.label, color=badge.colour)
        st.text(_summary(job, now), width="stretch")
        _show_links(job)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _show_numbers(job, now)
        foundations = {} if is_chain(job) else branches_of(job)
        for stage in stages_of(job):
            branch = foundations.get(stage.name)
            _show_stage(stage, now, _write_foundations(branch) if branch else "")
    _show_asked(job)
    with st.container(gap="xsmall"):
        for number, cause in enumerate(causes_of(job, now, guidance)):
            _show_cause(cause, number)
        _show_warnings(status_of(job).all_warnings)
    if (status_of(job).observed_generation or 0) < (job.metadata.generation or 0) and job.status:
        st.caption("The operator has not acted on the last change of the spec yet.")


def moment(job: AlignmentJob) -> object:
    """Return what the head is drawn from; times count minutes, so that they do not draw it again each second."""
    return job.dump(), _numbers(job, datetime.now(UTC)), _asked(job), _judged(job)


def _summary(job: AlignmentJob, now: datetime) -> str:
    model, started = model_of(job) or f"model of recipe {job.spec.recipe}", write_age(status_of(job).start_time, now)
    return f"{model}  ·  namespace {job.metadata.namespace or 'default'}  ·  started {started}"


def _show_links(job: AlignmentJob) -> None:
    tracking = status_of(job).tracking
    url = (tracking and tracking.url) or ""
    # The status may hold any text; a browser would run javascript: as code.
    if url.startswith(("https://", "http://")):
        st.link_button("MLflow", url, type="tertiary", icon=":material/open_in_new:")
    for label, page in (("Compare", "app_pages/compare.py"), ("Samples", "app_pages/samples.py")):
        st.page_link(page, label=label, query_params={"jobs": identify(job)})
    with st.popover("Commands", type="tertiary", key="commands"):
        current = [stage.name for stage in current_stages(job)]
        for command in commands(job, current, workspace(), database()):
            st.caption(command.purpose)
            st.code(command.text, language="shell", wrap_lines=True)


def _show_numbers(job: AlignmentJob, now: datetime) -> None:
    for label, value in _numbers(job, now).items():
        st.metric(label, value, width="content", help=HELP.get(label))


def _numbers(job: AlignmentJob, now: datetime) -> dict[str, str]:
    status, percent = status_of(job), percent_of(job)
    hours = gpu_hours(job, now)
    took = ((status.completion_time or now) - status.start_time).total_seconds() if status.start_time else None
    return {
        "Progress": "–" if percent is None else f"{percent}%",
        "Stage ETA": time_left(job, now) or "–",
        "Took" if status.completion_time else "Running for": "–" if took is None else write_duration(took),
        "GPUs": "–" if status.gpus is None else str(status.gpus),
        "GPU-hours": "–" if hours is None else f"{hours:,.1f}",
    }


def _write_foundations(branch: Branch) -> str:
    """Write what a stage of a job with branches builds on."""
    return f"builds on {', '.join(branch.needed)}" if branch.needed else "builds on no stage"


def _show_stage(stage: StageStatus, now: datetime, foundations: str) -> None:
    """Show one step of the stepper; where stages branch, with what it builds on."""
    badge, progress = BADGES[stage.state], stage.progress
    with st.container(border=True, gap=None, width=250):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.markdown(f"**{plain(stage.name)}**", width="content")
            st.badge(badge.label, color=badge.colour)
            if progress and stage.state not in ENDED:
                st.text(f"{progress.percent}%")
        st.caption(plain("  ·  ".join(part for part in (foundations, *_describe(stage, now)) if part)))


def _describe(stage: StageStatus, now: datetime) -> tuple[str, ...]:
    end = stage.completion_time or now
    took = write_duration((end - stage.start_time).total_seconds()) if stage.start_time else "not started"
    steps = _write_steps(stage.progress) if stage.progress else ""
    attempts = "" if stage.attempts < 2 else f"{stage.attempts} attempts"
    waits_for = (stage.message or "") if stage.state == "Waiting" and stage.reason != "InvalidSpec" else ""
    return took, steps, attempts, waits_for, _write_retry(stage, now)


def _write_steps(progress: Progress) -> str:
    return f"{progress.step:,} of {progress.total_steps:,} {'rows' if is_of_rows(progress) else 'steps'}"


def _show_asked(job: AlignmentJob) -> None:
    """Show what was asked of teachers and judges, what it cost, why answers are missing, and what the judges said."""
    with st.container(gap=None):
        for asked in _asked(job):
            st.caption(f"**{plain(asked.stage)}**  {plain(asked.line)}")
        for stage, lines in _judged(job).items():
            for line in lines:
                st.caption(f"**{plain(stage)}**  {plain(line)}")


def _asked(job: AlignmentJob) -> list[Asked]:
    return asked_by(job, {stage: run.latest for stage, run in cache.runs(identify(job)).value.items() if stage})


def _judged(job: AlignmentJob) -> dict[str, list[str]]:
    """Return how the models and the rounds of each stage were judged."""
    runs, identity = cache.runs(identify(job)).value, identify(job)
    return {
        stage: judged_lines(runs[stage].latest, curves.read(identity, stage).value) for stage in charted(job) if stage in runs
    }


def _write_retry(stage: StageStatus, now: datetime) -> str:
    if stage.retry_time is None or stage.state in ENDED:
        return ""
    left = (stage.retry_time - now).total_seconds()
    return f"next attempt in {readable_duration(left)}" if left > 0 else "next attempt any moment"


def _show_cause(cause: Cause, number: int) -> None:
    """Show why a run is as it is: one line, and the whole message folded."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(plain(cause.reason), color=cause.colour)
        st.text(cause.line, width="content")
        if cause.step:
            st.markdown(f"→ **{plain(cause.step)}**", width="content")
    if cause.whole:
        with st.expander("The whole message", key=f"whole-message-{number}", type="compact"):
            st.code(cause.whole, language=None, wrap_lines=True, height=MESSAGE_HEIGHT)


def _show_warnings(warnings: list[str]) -> None:
    if not warnings:
        return
    count = "1 warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
    with st.expander(count, key="warnings", type="compact"):
        for warning in warnings:
            st.text(warning)
