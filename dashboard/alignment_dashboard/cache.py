"""What the pages read, shared by all visitors: the newest known value at once, with a sentence when its source is away."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar

import streamlit as st
from alignment_api.home import Home
from alignment_api.metrics import LOSS
from alignment_api.names import stage_folder
from alignment_api.spec.job import AlignmentJob

from alignment_dashboard.data.job_events import Event, read_events
from alignment_dashboard.data.jobs import read_jobs
from alignment_dashboard.data.listing import Listing
from alignment_dashboard.data.source import source
from alignment_dashboard.facts import colours
from alignment_dashboard.facts.colours import Look
from alignment_dashboard.facts.run_list.overview import Overview, Seen, with_curves
from alignment_dashboard.facts.run_list.overview import overview as read_overview
from alignment_dashboard.store.history import Histories, history_of
from alignment_dashboard.store.stored_run import StoredRun

Value = TypeVar("Value")
LOG_BYTES = 200_000


class Known(NamedTuple, Generic[Value]):
    """The newest value that could be read, when it was read, and why there is none newer."""

    value: Value
    problem: str | None
    as_of: datetime


@st.cache_resource(ttl=1, show_spinner=False)
def listing() -> Listing:
    """Return all jobs."""
    return read_jobs()


def looks() -> dict[str, Look]:
    """Return the look of every job, by its identity."""
    return colours.looks(listing().jobs)


@st.cache_resource(ttl=1.5, max_entries=100, show_spinner=False)
def runs(job_uid: str) -> Known[Mapping[str | None, StoredRun]]:
    """Return the newest run of each stage of a job; None stands for the run of the whole job."""
    from alignment_dashboard.data.runs import RunsUnavailable, tracking_uri
    from alignment_dashboard.store.newest_runs import read_runs

    try:
        return _known(read_runs(tracking_uri(), job_uid))
    except RunsUnavailable as error:
        return _known({}, str(error))


@st.cache_resource(ttl=5, show_spinner=False)
def headlines() -> Known[Mapping[str, StoredRun]]:
    """Return the run of every whole job, by the job's uid."""
    found = {uid: runs(uid) for uid in (job.metadata.uid for job in listing().jobs) if uid}
    problem = next((known.problem for known in found.values() if known.problem), None)
    return _known({uid: known.value[None] for uid, known in found.items() if None in known.value}, problem)


_seen_rows: dict[str, Seen] = {}


@st.cache_resource(ttl=1, show_spinner=False)
def overview() -> Overview:
    """Return the rows of all jobs; made once for all visitors."""
    known = read_overview(listing(), headlines().value, datetime.now(UTC), _seen_rows)
    charted = {row.identity: row.charted for row in known.rows if row.charted}
    return with_curves(known, outlines(list(charted), charted, LOSS))


def curves(job_uid: str, stage: str, metrics: Iterable[str]) -> Known[Histories]:
    """Return the named metrics of a stage, as far as it has them."""
    return _curves(job_uid, stage, tuple(dict.fromkeys(metrics)))


@st.cache_resource(ttl=1.5, max_entries=100, show_spinner=False)
def _curves(job_uid: str, stage: str, metrics: tuple[str, ...]) -> Known[Histories]:
    from alignment_dashboard.data.runs import RunsUnavailable, read_histories, read_stage_runs, tracking_uri

    try:
        uri = tracking_uri()
        run = read_stage_runs(uri, job_uid).get(stage)
        read = read_histories(uri, run, metrics) if run else {}
        return _known({name: history_of([(point.step, point.value, 0) for point in points]) for name, points in read.items()})
    except RunsUnavailable as error:
        return _known({}, str(error))


def outlines(job_uids: Sequence[str], stage_of: Mapping[str, str], metric: str) -> dict[str, list[float]]:
    """Return a few values of a metric for each of many jobs, each of the stage that is named for it."""
    found = {uid: curves(uid, stage_of[uid], [metric]).value.get(metric) for uid in job_uids if uid in stage_of}
    return {uid: history.values[:: max(1, len(history.values) // 40)].tolist() for uid, history in found.items() if history}


@st.cache_resource(ttl=5, max_entries=100, show_spinner=False)
def samples(job_uid: str, stage: str) -> Known[list[dict[str, Any]]]:
    """Return the answers that a stage logged, each with its step."""
    known = runs(job_uid)
    run = known.value.get(stage)
    if run is None:
        return _known([], known.problem)
    from mlflow import artifacts

    rows = []
    for file in artifacts.list_artifacts(artifact_uri=f"{run.artifacts}/samples") or []:
        name = file.path.rpartition("/")[2]
        step = int(name.removeprefix("step-").removesuffix(".json"))
        rows += [{"step": step, **row} for row in json.loads(artifacts.load_text(f"{run.artifacts}/samples/{name}"))]
    return _known(rows)


@st.cache_resource(ttl=2, max_entries=100, show_spinner=False)
def log(job_uid: str, stage: str) -> Known[str]:
    """Return the end of a stage's log."""
    job = listing().find(job_uid)
    if job is None or source() != "folder":
        return _known("")
    where = stage_folder(job.metadata.namespace or "default", job.metadata.name, job.metadata.uid or "", stage)
    path = Home.from_environment().workspace / where / "stage.log"
    return _known(path.read_bytes()[-LOG_BYTES:].decode(errors="replace") if path.is_file() else "")


def events(job: AlignmentJob) -> Known[list[Event]]:
    """Return the Kubernetes events of a job, the newest first."""
    return _known(read_events(job))


def _known(value: Value, problem: str | None = None) -> Known[Value]:
    return Known(value, problem, datetime.now(UTC))


def clear() -> None:
    """Forget everything, as tests need it."""
    for cached in (listing, runs, headlines, overview, _curves, samples, log):
        cached.clear()
