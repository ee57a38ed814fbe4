"""Every resolved value of a job with where it comes from, and the job as YAML."""

import json
from typing import Any, NamedTuple

from alignment_api.document import write_documents
from alignment_api.problems import InvalidJob
from alignment_api.resolving.recipes import Resolved, UnknownRecipe, resolve
from alignment_api.spec.job import AlignmentJob, AlignmentJobSpec
from alignment_api.trees import below, leaves
from pydantic import ValidationError

_WORDS = {"spec": "you", "record": "an earlier version", "default": "default"}

Recorded = tuple[dict[str, Any], dict[str, Any]]
"""A spec as its author wrote it, and as it was resolved when the job started."""


class Setting(NamedTuple):
    """One value: its field below spec, where it comes from, and why a recipe or a default chose it."""

    field: str
    value: str
    source: str
    reason: str


def settings(job: AlignmentJob) -> list[Setting]:
    """Return all values that a job runs with, in the order of its spec."""
    recorded = _recorded(job)
    resolved = _resolved(job, recorded)
    known = dict(leaves(resolved.spec.dump())) if resolved else {}
    found = []
    for keys, value in leaves(_whole(job, recorded, resolved)):
        origin = resolved.origins.get(below("spec", keys)) if resolved else None
        # A value that this version would choose differently was chosen by the version that started the job.
        as_now = origin is not None and known.get(keys) == value
        source, reason = (origin.source, origin.reason) if origin and as_now else ("record" if resolved else "spec", "")
        found.append(Setting(below("", keys).removeprefix("."), _write(value), _WORDS.get(source, source), reason))
    return found


def write_resolved(job: AlignmentJob) -> str:
    """Return a job as YAML with every value that it runs with."""
    recorded = _recorded(job)
    return _yaml(job, _whole(job, recorded, _resolved(job, recorded)), job.metadata.name)


def write_clone(job: AlignmentJob, name: str) -> str:
    """Return a job as its author wrote it, as YAML under a new name."""
    recorded = _recorded(job)
    return _yaml(job, recorded[0] if recorded else job.spec.dump(), name)


def clone_name(name: str) -> str:
    """Return a name for a copy: the number at the end counts on."""
    head, _, number = name.rpartition("-")
    return f"{head}-{int(number) + 1:0{len(number)}}" if head and number.isdigit() else f"{name}-2"


def _yaml(job: AlignmentJob, spec: dict[str, Any], name: str) -> str:
    metadata = {"name": name} | ({"namespace": job.metadata.namespace} if job.metadata.namespace else {})
    head = {key: value for key, value in job.dump().items() if key in ("apiVersion", "kind")}
    return write_documents([head | {"metadata": metadata, "spec": spec}])


def _whole(job: AlignmentJob, recorded: Recorded | None, resolved: Resolved | None) -> dict[str, Any]:
    """Return the spec with every value, as it was recorded, or else as this version resolves it."""
    return recorded[1] if recorded else resolved.spec.dump() if resolved else job.spec.dump()


def _recorded(job: AlignmentJob) -> Recorded | None:
    """Return the spec as its author wrote it and as it was resolved when the job started."""
    record = job.status.record if job.status else None
    try:
        return (json.loads(record.written), json.loads(record.resolved)) if record else None
    except ValueError:
        return None


def _resolved(job: AlignmentJob, recorded: Recorded | None) -> Resolved | None:
    try:
        return resolve(AlignmentJobSpec.parse_stored(recorded[0]) if recorded else job.spec)
    except (UnknownRecipe, ValidationError, InvalidJob):
        return None  # of another version, which knows other recipes or fields


def _write(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
