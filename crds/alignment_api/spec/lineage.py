"""Which stage builds on which, and the hash of everything that a stage's result depends on."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from alignment_api.schema import Schema
from alignment_api.spec.job import AlignmentJobSpec
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.parts import loads_model, models_asked, rows_read, starts_from_model
from alignment_api.spec.settings.evaluation import Evaluate
from alignment_api.spec.stage_model import StageModel
from alignment_api.spec.stages import Stage

Settings = TypeVar("Settings", bound=Schema)

LIMITS = frozenset(
    {
        "budget",
        "maximumFailedShare",
        "apiKeySecret",
        "concurrency",
        "requestsPerMinute",
        "tokensPerMinute",
        "timeoutSeconds",
        "price",
        "destinations",
        "registeredModel",
        "maximumDivergence",
        "maximumPerplexityIncrease",
        "minimumAgreement",
    }
)
"""Settings that limit or pay for what a stage asks, say where an export is copied, or how close it must come, wherever a stage
has them: they shape no answer and no weight, so an edit continues its work."""


def stages_before(spec: AlignmentJobSpec, stage: Stage) -> list[Stage]:
    """List the stages that run before one."""
    stages = spec.stages or []
    return stages[: next(index for index, known in enumerate(stages) if known.name == stage.name)]


def parent_of(spec: AlignmentJobSpec, stage: Stage) -> Stage | None:
    """Find the stage whose weights this one starts from; None means the job's own model, or that it starts from none."""
    earlier = stages_before(spec, stage)
    if not starts_from_model(stage) or (stage.model and stage.model.base):
        return None
    if stage.model and stage.model.stage:
        return next(known for known in earlier if known.name == stage.model.stage)
    return next((known for known in reversed(earlier) if KINDS[known.kind].trains), None)


def stages_needed(spec: AlignmentJobSpec, stage: Stage) -> list[Stage]:
    """List the earlier stages that must succeed before one can run: whose weights, rows or models it uses."""
    parent = parent_of(spec, stage)
    needed = {parent.name} if parent else set()
    needed |= {read.stage for read in rows_read(stage)}
    needed |= {model.stage for _, model in models_asked(stage) if model.stage}
    return [known for known in stages_before(spec, stage) if known.name in needed]


def foundations(spec: AlignmentJobSpec) -> dict[str, frozenset[str]]:
    """Name, for each stage, all stages that it builds on, directly or through others."""
    found: dict[str, frozenset[str]] = {}
    for stage in spec.stages or []:
        needed = [known.name for known in stages_needed(spec, stage)]
        found[stage.name] = frozenset(needed).union(*(found[name] for name in needed))
    return found


def building_on(spec: AlignmentJobSpec, stage: Stage) -> list[Stage]:
    """List the stages that build on one, directly or through others."""
    below = foundations(spec)
    return [known for known in spec.stages or [] if stage.name in below[known.name]]


def last_stages(spec: AlignmentJobSpec) -> list[Stage]:
    """List the stages on which no other builds."""
    below = frozenset[str]().union(*foundations(spec).values())
    return [stage for stage in spec.stages or [] if stage.name not in below]


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
            "settings": shaping(stage.settings),
            **({"rows": rows} if rows else {}),
            **({"asked": asked} if asked else {}),
        }
    )


def models_needed(spec: AlignmentJobSpec, stage: Stage) -> list[Stage]:
    """List the earlier stages whose models this one asks, or holds others against."""
    asked = {model.stage for _, model in models_asked(stage)} | {model.stage for model in references_of(spec, stage)}
    return [known for known in stages_before(spec, stage) if known.name in asked]


def measured_models(spec: AlignmentJobSpec, stage: Stage) -> list[StageModel]:
    """List the models that a stage measures: those that it names, or the one that it starts from."""
    named = stage.settings.models if isinstance(stage.settings, Evaluate) else None
    return named or [_model_of(parent_of(spec, stage))]


def references_of(spec: AlignmentJobSpec, stage: Stage) -> list[StageModel]:
    """List the models that the preferences of the measured ones are held against, each once; none without such a task."""
    tasks = (stage.settings.tasks or []) if isinstance(stage.settings, Evaluate) else []
    if not any(task.measure == "Preferences" for task in tasks):
        return []
    found = [reference_of(spec, model) for model in measured_models(spec, stage)]
    return [model for place, model in enumerate(found) if model not in found[:place]]


def reference_of(spec: AlignmentJobSpec, model: StageModel) -> StageModel:
    """Find what a model's last training started from; the job's own model has only itself."""
    training = last_training(spec, model)
    return _model_of(parent_of(spec, training)) if training else model


def last_training(spec: AlignmentJobSpec, model: StageModel) -> Stage | None:
    """Find the stage whose training made a model, of an export that of the exported one; None for the job's own model."""
    stage = next((known for known in spec.stages or [] if known.name == model.stage), None)
    while stage and not KINDS[stage.kind].trains:
        stage = parent_of(spec, stage)
    return stage


def _model_of(stage: Stage | None) -> StageModel:
    return StageModel(stage=stage.name) if stage else StageModel(base=True)


def surroundings(spec: AlignmentJobSpec, stage: Stage) -> dict[str, Any]:
    """Return what a stage's pods depend on besides its inputs."""
    return {
        "compute": spec.compute_of(stage).dump(),
        "storage": spec.storage.dump() if spec.storage else None,
        "queue": spec.queue_name,
        **({"limits": found} if (found := limits(stage.settings)) else {}),
    }


def shaping(settings: Schema) -> Any:
    """Return the settings that a result depends on, without the limits, as plain data."""
    return without_limits(settings.dump())


def limits(settings: Schema) -> Any:
    """Return the limits in settings, as plain data; None if there are none."""
    return _limits_in(settings.dump())


def with_limits_of(settings: Settings, newer: Schema) -> Settings:
    """Return settings with the limits of newer ones that ask the same."""
    return type(settings).parse_stored(_with_limits(settings.dump(), newer.dump()))


def without_limits(value: Any) -> Any:
    """Return plain data of settings without the limits."""
    if isinstance(value, dict):
        return {name: without_limits(inner) for name, inner in value.items() if name not in LIMITS}
    return [without_limits(item) for item in value] if isinstance(value, list) else value


def _limits_in(value: Any) -> Any:
    if isinstance(value, dict):
        found = {name: inner if name in LIMITS else _limits_in(inner) for name, inner in value.items()}
        return {name: inner for name, inner in found.items() if inner is not None} or None
    found_items = [_limits_in(item) for item in value] if isinstance(value, list) else []
    return found_items if any(found_items) else None


def _with_limits(value: Any, newer: Any) -> Any:
    if isinstance(value, dict) and isinstance(newer, dict):
        own = {name: _with_limits(inner, newer.get(name)) for name, inner in value.items() if name not in LIMITS}
        return {**own, **{name: inner for name, inner in newer.items() if name in LIMITS}}
    if isinstance(value, list) and isinstance(newer, list) and len(value) == len(newer):
        return [_with_limits(*pair) for pair in zip(value, newer, strict=True)]
    return value
