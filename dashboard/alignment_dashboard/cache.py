"""What the pages read, shared by all visitors: the newest known value at once, and why there is none newer."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from alignment_api.home import Home
from alignment_api.metrics import LOSS
from alignment_api.results.collected import Reports, reporting
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import StageStatus

from alignment_dashboard.data.job_events import Event, read_events
from alignment_dashboard.data.jobs import read_jobs
from alignment_dashboard.data.listing import Listing
from alignment_dashboard.data.source import source
from alignment_dashboard.facts import colours
from alignment_dashboard.facts.colours import Look
from alignment_dashboard.facts.run_list.overview import Overview, Seen, Unread, see
from alignment_dashboard.facts.run_list.overview import overview as overview_of
from alignment_dashboard.facts.stages import folder_of
from alignment_dashboard.facts.status import BEGUN, stages_of
from alignment_dashboard.keeper import FIRST_SECONDS, Keeper, Known
from alignment_dashboard.store.address import open_store, tracking_uri
from alignment_dashboard.store.curves import NO_CURVES, Curves, read_curves
from alignment_dashboard.store.headlines import NO_HEADLINES, Headlines, read_headlines
from alignment_dashboard.store.history import Histories
from alignment_dashboard.store.logs import NO_LOG, Log, read_live_log, read_stored_log
from alignment_dashboard.store.newest import NO_RUNS, JobRuns, runs_of_job
from alignment_dashboard.store.outlines import RUNS_AT_ONCE, Outlines, Target, due, read_outlines
from alignment_dashboard.store.reports import (
    NO_REPORTS,
    NO_ROWS,
    JobReports,
    ModelRows,
    read_model_rows,
    read_reports,
    run_of_report,
)
from alignment_dashboard.store.samples import Samples, fault_of, read_samples, rows_of
from alignment_dashboard.store.store import Store, StoreUnavailable
from alignment_dashboard.store.stored_run import StoredRun

JOBS_SECONDS, GROWING_SECONDS, ENDED_SECONDS, EVENTS_SECONDS = 1.0, 2.0, 10.0, 5.0
"""How long a value counts as new; what has ended may begin anew, so it is looked at again, but less often.

Pages of ended runs ask every 15 seconds, and then find it due each time.
"""

STILL_LIST_SECONDS = 15.0
"""The same for the list while nothing runs: it asks every 2 seconds, so that it misses no turn."""

MOST_POINTS = 4_000_000
"""The points of all curves that are kept, with 24 bytes each."""

MOST_ROWS = 200_000
"""The rows of models that are kept, with a few kilobytes each."""

LISTED_PER_SECOND = 200
"""A list of 1,000 jobs is made again every 5 seconds."""

HEADLINES_WAIT_SECONDS = 2.0
"""How long the list of runs waits for MLflow before it is shown without metrics."""

OUTLINES_AT_ONCE_SECONDS = 1.0

Runs = Mapping[str | None, StoredRun]
StageKey = tuple[str, str]
RowsKey = tuple[str, str, str, str]
CurvesKey = tuple[str, str, tuple[str, ...]]


class Jobs(NamedTuple):
    """All jobs and their looks; the same objects as long as no job changes."""

    listing: Listing
    looks: Mapping[str, Look]


def listing() -> Listing:
    """Return all jobs."""
    return _jobs_now().listing


def looks() -> Mapping[str, Look]:
    """Return the look of every job, by its identity."""
    return _jobs_now().looks


def runs(job_uid: str) -> Known[Runs]:
    """Return the newest run of each stage of a job; None stands for the run of the whole job."""
    known = _runs.get(job_uid)
    return Known(known.value.newest, known.problem, known.as_of)


def headlines() -> Known[Mapping[str, StoredRun]]:
    """Return the run of every whole job, by the job's uid."""
    known = _headlines.get(None)
    return Known(known.value.by_job, known.problem if any(map(_begun, listing().jobs)) else None, known.as_of)


def overview(seconds: float | None = None) -> Known[Overview]:
    """Return the rows of all jobs; made once for all visitors, and the same object as long as they say the same."""
    return _overviews.get(None, seconds)


def curves(job_uid: str, stage: str, metrics: Iterable[str]) -> Known[Histories]:
    """Return the named metrics of a stage, as far as it has them."""
    known = _curves.get((job_uid, stage, tuple(sorted(set(metrics)))))
    return Known(known.value.histories, known.problem, known.as_of)


def outlines(targets: Sequence[Target], metric: str) -> dict[str, list[float]]:
    """Return a few values of a metric for each of many jobs, by the job's uid, as far as they are known."""
    _wanted[metric] = targets
    known = _outlines.get(metric, seconds=0).value
    return {
        target.job_uid: found.values
        for target in targets
        if (found := known.get(target.job_uid)) and found.target.stage == target.stage
    }


def samples(job_uid: str, stage: str) -> Known[list[dict[str, Any]]]:
    """Return the answers that a stage logged, each with its step."""
    known = _samples.get((job_uid, stage))
    return Known(rows_of(known.value), known.problem or fault_of(known.value), known.as_of)


def reports(job_uid: str) -> Known[Reports]:
    """Return what the stages of a job have reported."""
    known = _reports.get(job_uid)
    return Known(known.value.reports, known.problem, known.as_of)


def expect_reports(job_uids: Iterable[str]) -> None:
    """Begin to read the reports of several jobs, so that a page does not wait for one after the other."""
    for job_uid in job_uids:
        _reports.get(job_uid, seconds=0)


def rows(job_uid: str, stage: str, task: str, model: str) -> Known[ModelRows]:
    """Return the rows of one model in a task of a stage."""
    return _rows.get((job_uid, stage, task, model))


def log(job_uid: str, stage: str) -> Known[str]:
    """Return the end of a stage's log."""
    known = _logs.get((job_uid, stage))
    return Known(known.value.text, known.problem, known.as_of)


def events(job: AlignmentJob) -> Known[list[Event]]:
    """Return the Kubernetes events of a job, the newest first."""
    return _events.get((job.metadata.namespace or "default", job.metadata.uid or ""))


def clear() -> None:
    """Forget everything."""
    for keeper in (_jobs, _runs, _headlines, _overviews, _curves, _outlines, _samples, _reports, _rows, _logs, _events):
        keeper.clear()
    _seen.clear()
    _wanted.clear()


def _jobs_now() -> Jobs:
    known = _jobs.get(None)
    if known.value is None:
        raise RuntimeError(known.problem)
    return known.value


def _read_jobs(_key: None, known: Jobs | None) -> Jobs:
    found = read_jobs()
    return known if known and known.listing == found else Jobs(found, colours.looks(found.jobs))


def _store() -> Store:
    return open_store(tracking_uri())


def _read_runs(job_uid: str, _known: JobRuns) -> JobRuns:
    return runs_of_job(_store().runs_of(job_uid))


def _read_headlines(_key: None, known: Headlines) -> Headlines:
    return read_headlines(_store(), known, datetime.now(UTC))


def _read_overview(_key: None, known: Overview) -> Overview:
    jobs, stored, now = listing(), headlines(), datetime.now(UTC)
    curves = outlines(see(jobs, stored.value, now, _seen), LOSS)
    unread = Unread(stored.problem, stored.as_of if stored.value else None) if stored.problem else None
    found = overview_of(jobs, now, _seen, curves, unread)
    return known if known == found else found


def _read_curves(key: CurvesKey, known: Curves) -> Curves:
    job_uid, stage, metrics = key
    return read_curves(_store(), _run(job_uid, stage), metrics, known, time.monotonic())


def _read_samples(key: StageKey, known: Samples) -> Samples:
    return read_samples(_store(), _run(*key), known)


def _read_reports(job_uid: str, known: JobReports) -> JobReports:
    job = listing().find(job_uid)
    stages = reporting(job.spec.stages or [], job.status) if job else {}
    if not job or not stages:
        return NO_REPORTS
    return read_reports(_store(), job.metadata.name, stages, _runs_of(job_uid).of_stages, known)


def _read_rows(key: RowsKey, known: ModelRows) -> ModelRows:
    job_uid, stage, task, model = key
    runs = _runs_of(job_uid).of_stages.get(stage, ())
    run = run_of_report(_reports.get(job_uid).value, stage, runs)
    return read_model_rows(_store(), run, task, model, known)


def _read_log(key: StageKey, known: Log) -> Log:
    job, (job_uid, stage) = listing().find(key[0]), key
    if job and source() == "folder":
        live = read_live_log(Home.from_environment().workspace / folder_of(job, stage))
        if live:
            return live
    return read_stored_log(_store(), _run(job_uid, stage), known)


def _read_events(key: tuple[str, str], _known: list[Event]) -> list[Event]:
    return read_events(*key)


def _read_outlines(metric: str, known: Outlines) -> Outlines:
    targets = _wanted.get(metric, ())
    read = {target.job_uid: known[target.job_uid] for target in targets if target.job_uid in known}
    until = time.monotonic() + OUTLINES_AT_ONCE_SECONDS
    while (now := time.monotonic()) < until and (some := due(targets, read, now)[:RUNS_AT_ONCE]):
        read |= read_outlines(_store(), metric, some, now)
    return read


def _run(job_uid: str, stage: str) -> StoredRun | None:
    return _runs_of(job_uid).newest.get(stage)


def _runs_of(job_uid: str) -> JobRuns:
    known = _runs.get(job_uid, seconds=FIRST_SECONDS)
    if known.problem:
        raise StoreUnavailable(known.problem)
    return known.value


def _begun(job: AlignmentJob) -> dict[str, StageStatus]:
    """Return the stages that may have logged something."""
    return {stage.name: stage for stage in stages_of(job) if stage.state in BEGUN}


def _pause(runs: JobRuns) -> float:
    newest = runs.newest.values()
    return ENDED_SECONDS if newest and not any(run.is_running for run in newest) else GROWING_SECONDS


def _pause_of_list(found: Overview) -> float:
    # The page sends a long list again every few seconds at most.
    return max(JOBS_SECONDS, len(found.rows) / LISTED_PER_SECOND)


def _pause_after(found: Curves) -> float:
    return ENDED_SECONDS if found.run and not found.run.is_running else GROWING_SECONDS


_jobs = Keeper[None, Jobs | None](_read_jobs, None, lambda _: JOBS_SECONDS, first_seconds=threading.TIMEOUT_MAX)
_runs = Keeper[str, JobRuns](_read_runs, NO_RUNS, _pause, most=2000)
_headlines = Keeper[None, Headlines](
    _read_headlines,
    NO_HEADLINES,
    lambda found: GROWING_SECONDS if found.is_growing else STILL_LIST_SECONDS,
    first_seconds=HEADLINES_WAIT_SECONDS,
)
_overviews = Keeper[None, Overview](_read_overview, Overview((), {}, {}), _pause_of_list, first_seconds=threading.TIMEOUT_MAX)
_curves = Keeper[CurvesKey, Curves](
    _read_curves, NO_CURVES, _pause_after, weight=lambda found: 1000 + found.points, most=MOST_POINTS
)
_outlines = Keeper[str, Outlines](_read_outlines, {}, lambda _: GROWING_SECONDS)
_samples = Keeper[StageKey, Samples](_read_samples, {}, lambda _: EVENTS_SECONDS)
_reports = Keeper[str, JobReports](_read_reports, NO_REPORTS, lambda _: EVENTS_SECONDS)
_rows = Keeper[RowsKey, ModelRows](
    _read_rows, NO_ROWS, lambda _: EVENTS_SECONDS, weight=lambda found: 100 + len(found.rows), most=MOST_ROWS
)
_logs = Keeper[StageKey, Log](_read_log, NO_LOG, lambda _: GROWING_SECONDS)
_events = Keeper[tuple[str, str], list[Event]](_read_events, [], lambda _: EVENTS_SECONDS)
_seen: dict[str, Seen] = {}
_wanted: dict[str, Sequence[Target]] = {}
"""By metric: the outlines that a page has asked for last."""
