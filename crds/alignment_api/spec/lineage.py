"""Which stage builds on which, and the hash of everything that a stage's result depends on."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from alignment_api.schema import Schema
from alignment_api.spec.endpoints import Budget, Endpoint
from alignment_api.spec.job import AlignmentJobSpec
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.parts import loads_model, models_asked, rows_read
from alignment_api.spec.stages import Stage

_SERVER_ONLY = ("api_key_secret", "concurrency", "requests_per_minute", "tokens_per_minute", "timeout_seconds", "price")
"""What an endpoint's answers do not depend on."""


def stages_before(spec: AlignmentJobSpec, stage: Stage) -> list[Stage]:
    """List the stages that run before one."""
    stages = spec.stages or []
    return stages[: next(index for index, known in enumerate(stages) if known.name == stage.name)]


def parent_of(spec: AlignmentJobSpec, stage: Stage) -> Stage | None:
    """Find the stage whose weights this one starts from; None means the job's own model, or that it loads no model."""
    earlier = stages_before(spec, stage)
    if not KINDS[stage.kind].loads_model or (stage.model and stage.model.base):
        return None
    if stage.model and stage.model.stage:
        return next(known for known in earlier if known.name == stage.model.stage)
    return next((known for known in reversed(earlier) if KINDS[known.kind].trains), None)


def digest(document: Any) -> str:
    """Hash plain data; the order of its keys does not matter."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def rows_needed(spec: AlignmentJobSpec, stage: Stage) -> list[Stage]:
    """List the stages before this one whose rows it or a later stage reads."""
    earlier = stages_before(spec, stage)
    read = {found.stage for reader in (spec.stages or [])[len(earlier) :] for found in rows_read(reader)}
    return [known for known in earlier if known.name in read]


def input_hashes(spec: AlignmentJobSpec) -> dict[str, str]:
    """Hash what each stage's result depends on: its settings and all that it builds on, but not where it runs."""
    hashes: dict[str, str] = {}
    for stage in spec.stages or []:
        hashes[stage.name] = stage_hash(spec, stage, hashes)
    return hashes


def input_hash(spec: AlignmentJobSpec, stage: Stage) -> str:
    """Hash what one stage's result depends on."""
    return input_hashes(spec)[stage.name]


def stage_hash(spec: AlignmentJobSpec, stage: Stage, earlier: Mapping[str, str]) -> str:
    """Hash a stage's own inputs with the hashes of the earlier stages whose weights or rows it reads."""
    parent = parent_of(spec, stage)
    # `rows` is added only if there are some, so that the hashes of finished stages stay the same.
    rows = {read.stage: earlier[read.stage] for read in rows_read(stage)}
    asked = {model.stage: earlier[model.stage] for _, model in models_asked(stage) if model.stage}
    return digest(
        {
            "model": spec.model.dump() if spec.model and loads_model(stage) else None,
            "parent": earlier[parent.name] if parent else None,
            "kind": stage.kind,
            "settings": _shaping(stage.settings),
            **({"rows": rows} if rows else {}),
            **({"asked": asked} if asked else {}),
        }
    )


def _shaping(value: Any) -> Any:
    """Return the settings that shape a result: a higher budget or another limit of a server continues the same work."""
    if isinstance(value, Budget):
        return None
    if isinstance(value, Endpoint):
        return value.model_copy(update=dict.fromkeys(_SERVER_ONLY)).dump()
    if isinstance(value, Schema):
        fields = type(value).model_fields
        shaping = {str(fields[name].alias): _shaping(inner) for name, inner in value if inner is not None}
        return {name: inner for name, inner in shaping.items() if inner is not None}
    return [_shaping(item) for item in value] if isinstance(value, list) else value


def models_needed(spec: AlignmentJobSpec, stage: Stage) -> list[Stage]:
    """List the earlier stages whose models this one asks."""
    asked = {model.stage for _, model in models_asked(stage)}
    return [known for known in stages_before(spec, stage) if known.name in asked]


def surroundings(spec: AlignmentJobSpec, stage: Stage) -> dict[str, Any]:
    """Return what a stage's pods depend on besides its inputs."""
    return {
        "compute": spec.compute_of(stage).dump(),
        "storage": spec.storage.dump() if spec.storage else None,
        "queue": spec.queue_name,
    }
