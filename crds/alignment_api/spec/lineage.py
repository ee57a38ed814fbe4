"""Which stage builds on which, and the hash of everything that a stage's result depends on."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from alignment_api.spec.job import AlignmentJobSpec
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.parts import rows_read
from alignment_api.spec.stages import Stage


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
    return digest(
        {
            "model": spec.model.dump() if spec.model and KINDS[stage.kind].loads_model else None,
            "parent": earlier[parent.name] if parent else None,
            "kind": stage.kind,
            "settings": stage.settings.dump(),
            **({"rows": rows} if rows else {}),
        }
    )


def surroundings(spec: AlignmentJobSpec, stage: Stage) -> dict[str, Any]:
    """Return what a stage's pods depend on besides its inputs."""
    return {
        "compute": spec.compute_of(stage).dump(),
        "storage": spec.storage.dump() if spec.storage else None,
        "queue": spec.queue_name,
    }
