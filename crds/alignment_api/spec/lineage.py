"""Which stage builds on which, and a hash of all that a stage's result depends on."""

import hashlib
import json
from typing import Any

from alignment_api.spec.job import AlignmentJobSpec
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.stages import Stage


def parent_of(spec: AlignmentJobSpec, stage: Stage) -> Stage | None:
    """Find the stage whose weights this one starts from; None means the job's own model."""
    stages = spec.stages or []
    earlier = stages[: next(index for index, known in enumerate(stages) if known.name == stage.name)]
    if stage.model and stage.model.base:
        return None
    if stage.model and stage.model.stage:
        return next(known for known in earlier if known.name == stage.model.stage)
    return next((known for known in reversed(earlier) if KINDS[known.kind].trains), None)


def digest(document: Any) -> str:
    """Hash plain data, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:16]


def input_hash(spec: AlignmentJobSpec, stage: Stage) -> str:
    """Hash what a stage's result depends on: its settings, its model and all before it, but not where it runs."""
    parent = parent_of(spec, stage)
    return stage_hash(spec, stage, input_hash(spec, parent) if parent else None)


def stage_hash(spec: AlignmentJobSpec, stage: Stage, parent: str | None) -> str:
    """Hash a stage's own inputs with the hash of the stage that it builds on."""
    return digest(
        {
            "model": spec.model.dump() if spec.model else None,
            "parent": parent,
            "kind": stage.kind,
            "settings": stage.settings.dump(),
        }
    )


def surroundings(spec: AlignmentJobSpec, stage: Stage) -> dict[str, Any]:
    """Give what a stage's pods are made from beside its inputs."""
    return {
        "compute": spec.compute_of(stage).dump(),
        "storage": spec.storage.dump() if spec.storage else None,
        "queue": spec.queue_name,
    }
