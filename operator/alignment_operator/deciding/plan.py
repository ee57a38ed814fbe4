"""Decides about a job: which children should exist, and its new status; pure."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from alignment_api.resolving.record import Settled
from alignment_api.resolving.warnings import spec_warnings
from alignment_api.spec.job import AlignmentJob, AlignmentJobSpec
from alignment_api.spec.lineage import stage_hash
from alignment_api.spec.stages import Stage
from alignment_api.spec.status import AlignmentJobStatus, StageStatus

from alignment_operator.deciding.job_status import INVALID_SPEC, is_finished, refused, summarize
from alignment_operator.deciding.observation import UNENDED, Child, Report
from alignment_operator.deciding.running_time import seconds_to_deadline
from alignment_operator.deciding.situation import Halt, JobSituation, Situation, StageDecision
from alignment_operator.deciding.stage_plan import decide
from alignment_operator.deciding.stage_run import Identity, StageRun, identity_of
from alignment_operator.deciding.turns import Turns
from alignment_operator.deciding.untrusted import bounded_warnings
from alignment_operator.settings import Settings


class Plan(NamedTuple):
    """The children that should exist and the status to write; an observed child that is not listed is deleted."""

    children: list[StageRun]
    status: AlignmentJobStatus
    requeue_after_seconds: float | None
    job_has_expired: bool


def plan(
    job: AlignmentJob,
    settled: Settled,
    observed: list[Child],
    report: Report,
    settings: Settings,
    now: datetime,
) -> Plan:
    """Decide about a job from its settled spec, the observed children and their progress."""
    spec, old = settled.spec, job.status or AlignmentJobStatus()
    records = {stage.name: stage for stage in old.stages or []}
    renewed = old.observed_generation is not None and old.observed_generation != job.metadata.generation
    halt, deadline_seconds = _halt(spec, old, observed, now)
    shared = JobSituation(report, halt, settled.refusal, renewed, settings, now)
    runs = _runs(job, settled, records, observed, renewed)
    # What an edit starts again has no place yet.
    known = {run.stage.name: records[run.stage.name] for run in runs if _is_recorded(run, records.get(run.stage.name))}
    has_failed = old.phase == "Failed" and old.reason != INVALID_SPEC and not renewed
    turns = Turns(spec, known, observed, has_halted=halt is not None, has_failed=has_failed)
    children, statuses, waits = [], [], [deadline_seconds]
    for run in runs:
        mine = [child for child in observed if child.stage == run.stage.name]
        is_republished = run.stage.name in settled.republished
        decision = decide(Situation(shared, run, records.get(run.stage.name), mine, turns.of(run.stage), is_republished))
        turns.take(decision.status)
        children += [replace(run, attempt=attempt) for attempt in decision.attempts]
        statuses.append(_with_run(decision, report))
        waits.append(decision.requeue_after_seconds)
    status = summarize(job, spec, statuses, report.tracking or old.tracking, now)
    revision = _model_revision(spec, old, observed, report)
    warnings = list(bounded_warnings(map(str, spec_warnings(spec)))) or None
    status = status.model_copy(update={"record": settled.record, "model_revision": revision, "warnings": warnings})
    if settled.refusal:
        is_under_way = any(child.state in UNENDED for child in observed)
        status = refused(job, status, settled.refusal, is_under_way, now)
    return _concluded(spec, old, status, children, waits, now)


def refusal(job: AlignmentJob, sentence: str, observed: list[Child], now: datetime) -> Plan:
    """Decide about a job that cannot run as written and has no recorded spec; its children stay as they are."""
    old = job.status or AlignmentJobStatus()
    is_under_way = any(child.state in UNENDED for child in observed)
    return _concluded(job.spec, old, refused(job, old, sentence, is_under_way, now), [], [], now)


def _runs(
    job: AlignmentJob, settled: Settled, records: dict[str, StageStatus], observed: list[Child], renewed: bool
) -> list[StageRun]:
    """Return each stage with its identity; the number of the attempt is still open."""
    runs, hashes = [], dict[str, str]()
    for stage in settled.spec.stages or []:
        mine = [child for child in observed if child.stage == stage.name]
        identity = _identity(settled, stage, records.get(stage.name), hashes, [] if renewed else mine)
        hashes[stage.name] = identity.input_hash
        runs.append(StageRun(job, settled.spec, stage, 1, identity))
    return runs


def _is_recorded(run: StageRun, record: StageStatus | None) -> bool:
    return record is not None and record.input_hash in (None, run.input_hash)


def _with_run(decision: StageDecision, report: Report) -> StageStatus:
    known = report.run_ids.get(decision.status.name, decision.status.run_id)
    return decision.status.model_copy(update={"run_id": known})


def _identity(
    settled: Settled, stage: Stage, known: StageStatus | None, hashes: dict[str, str], running: list[Child]
) -> Identity:
    """Return the recorded identity of a stage; only an edit that affects the stage changes it."""
    if known is None or known.input_hash is None or stage.name in settled.edited:
        return identity_of(settled.spec, stage, stage_hash(settled.spec, stage, hashes))
    current = identity_of(settled.spec, stage, known.input_hash)
    if stage.name in settled.moved:
        return current
    # Versions that stored no fingerprint in the status left it in an annotation of the attempt.
    annotated = next((child.fingerprint for child in running if child.input_hash == known.input_hash), None)
    return Identity(known.input_hash, known.fingerprint or annotated or current.fingerprint)


def _model_revision(spec: AlignmentJobSpec, old: AlignmentJobStatus, children: list[Child], report: Report) -> str | None:
    """Return the commit of the Hub model that the first stage found."""
    named = spec.model.revision if spec.model else None
    found = [pulse.model_revision for pulse in report.pulses.values()] + [child.model_revision for child in children]
    return next((revision for revision in found if revision), None) or old.model_revision or named


def _halt(
    spec: AlignmentJobSpec, old: AlignmentJobStatus, observed: list[Child], now: datetime
) -> tuple[Halt | None, float | None]:
    """Return why no stage may run, and the seconds until the deadline while containers run."""
    suspended: Halt | None = "Suspended" if spec.suspend else None
    if is_finished(old):
        return suspended, None
    left, is_running_out = seconds_to_deadline(spec, old, observed, now)
    if left is not None and left <= 0:
        return "DeadlineExceeded", None
    return suspended, left if is_running_out else None


def _concluded(
    spec: AlignmentJobSpec,
    old: AlignmentJobStatus,
    status: AlignmentJobStatus,
    children: list[StageRun],
    waits: list[float | None],
    now: datetime,
) -> Plan:
    expires_seconds = _expires_seconds(spec, status, now)
    known_waits = [wait for wait in [*waits, expires_seconds] if wait is not None]
    # A job is deleted only after its final status was written, so that users could see it.
    expired = is_finished(old) and expires_seconds is not None and expires_seconds <= 0
    return Plan(children, status, min(known_waits) if known_waits else None, expired)


def _expires_seconds(spec: AlignmentJobSpec, status: AlignmentJobStatus, now: datetime) -> float | None:
    if not is_finished(status) or spec.ttl_seconds_after_finished is None or status.completion_time is None:
        return None
    return (status.completion_time + timedelta(seconds=spec.ttl_seconds_after_finished) - now).total_seconds()
