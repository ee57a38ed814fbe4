"""Decides what a job runs: a new version of the operator changes nothing, and an edit changes only what it names; pure."""

import json
from typing import Any, NamedTuple

from pydantic import ValidationError

from alignment_api.problems import InvalidJob, Problem
from alignment_api.resolving.recipes import Recorded, resolve
from alignment_api.resolving.validation import runnable_job
from alignment_api.spec.job import AlignmentJob, AlignmentJobSpec
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.lineage import input_hashes, limits, surroundings
from alignment_api.spec.status import Record

_UNREADABLE = Problem(
    "status.record", "was written by another version of the operator, and this one cannot read it; install that version again"
)


class Settled(NamedTuple):
    """What is to run, and what an edit has changed since it was recorded."""

    spec: AlignmentJobSpec
    record: Record
    edited: frozenset[str] = frozenset()
    """Stages whose result depends on what the edit has changed, directly or through an earlier stage."""
    moved: frozenset[str] = frozenset()
    """Stages whose pods the edit changes, but not their result."""
    republished: frozenset[str] = frozenset()
    """Those of them that export, and whose limits or destinations the edit changes: they check and copy again what they wrote."""
    refusal: str | None = None
    """Why the newest edit cannot run; the spec is then the one before the edit."""


def settle(job: AlignmentJob) -> Settled:
    """Decide what a job runs; raise InvalidJob if it cannot run and nothing of it was recorded."""
    known = job.status.record if job.status else None
    if known is None:
        return _first(job)
    recorded = _read(known)
    # Fields that a new version has added to the API are filled in; recorded values stay.
    before = _resolved_unchecked(recorded)
    if job.spec.dump() == recorded.written:
        return Settled(before, known)
    try:
        spec = runnable_job(job, recorded).spec
    except InvalidJob as error:
        return Settled(_with_edited_lifetime(before, job.spec), known, refusal=str(error))
    edited = _edited(before, spec)
    moved = _moved(before, spec) - edited
    return Settled(spec, _record(job.spec, spec), edited, moved, _republished(before, spec) & moved)


def _first(job: AlignmentJob) -> Settled:
    """Record a job for the first time; a version without records has already checked the jobs that it started."""
    spec = _resolved_unchecked(Recorded(job.spec.dump(), {})) if _began_unedited(job) else runnable_job(job).spec
    return Settled(spec, _record(job.spec, spec), _edited_unseen(job, spec))


def _began_unedited(job: AlignmentJob) -> bool:
    status = job.status
    if status is None or not status.stages or status.reason == "InvalidSpec":
        return False
    return status.observed_generation == job.metadata.generation


def _resolved_unchecked(recorded: Recorded) -> AlignmentJobSpec:
    try:
        return resolve(AlignmentJobSpec.parse_stored(recorded.written), recorded).spec
    except (ValidationError, LookupError) as error:
        raise InvalidJob([_UNREADABLE]) from error


def _read(known: Record) -> Recorded:
    try:
        return Recorded(json.loads(known.written), json.loads(known.resolved))
    except ValueError as error:
        raise InvalidJob([_UNREADABLE]) from error


def _record(written: AlignmentJobSpec, resolved: AlignmentJobSpec) -> Record:
    return Record(written=_text(written.dump()), resolved=_text(resolved.dump()))


def _text(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), sort_keys=True)


def _with_edited_lifetime(recorded: AlignmentJobSpec, edit: AlignmentJobSpec) -> AlignmentJobSpec:
    """Return the recorded spec with the edit's suspension, deadline and lifetime: these hold even if the edit cannot run."""
    return recorded.model_copy(
        update={
            "suspend": edit.suspend,
            "active_deadline_seconds": edit.active_deadline_seconds,
            "ttl_seconds_after_finished": edit.ttl_seconds_after_finished,
        }
    )


def _edited_unseen(job: AlignmentJob, spec: AlignmentJobSpec) -> frozenset[str]:
    """List the stages that an edit changes in a job that a version without records began; only their hashes are known."""
    status = job.status
    if status is None or status.observed_generation == job.metadata.generation:
        return frozenset()
    new = input_hashes(spec)
    return frozenset(stage.name for stage in status.stages or [] if stage.name in new and stage.input_hash != new[stage.name])


def _edited(before: AlignmentJobSpec, after: AlignmentJobSpec) -> frozenset[str]:
    old, new = input_hashes(before), input_hashes(after)
    return frozenset(name for name, made_from in new.items() if name in old and old[name] != made_from)


def _moved(before: AlignmentJobSpec, after: AlignmentJobSpec) -> frozenset[str]:
    old = {stage.name: surroundings(before, stage) for stage in before.stages or []}
    return frozenset(
        stage.name for stage in after.stages or [] if stage.name in old and old[stage.name] != surroundings(after, stage)
    )


def _republished(before: AlignmentJobSpec, after: AlignmentJobSpec) -> frozenset[str]:
    old = {stage.name: limits(stage.settings) for stage in before.stages or []}
    exports = (stage for stage in after.stages or [] if KINDS[stage.kind].leaves == "Export")
    return frozenset(stage.name for stage in exports if stage.name in old and old[stage.name] != limits(stage.settings))
