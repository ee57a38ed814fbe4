"""The parameters of a resolved job under the short names that people use; MLflow and the dashboard show them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.alias_generators import to_camel

from alignment_api.spec.kinds import KINDS
from alignment_api.spec.lineage import without_limits

Value = str | float | int | bool

MODEL, RECIPE, SEED, STAGES = "model", "recipe", "seed", "stages"
"""The names that belong to the whole job; every other name starts with its stage."""

_KINDS = {to_camel(name): kind for name, kind in KINDS.items()}
# Groups of the spec whose names add nothing: people say dpo.learningRate, not dpo.optimization.learningRate.
_LEFT_OUT = {"optimization", "adapter", "compute"}


def parameters(spec: Mapping[str, Any]) -> dict[str, Value]:
    """Return what a resolved spec learns with and runs on; where its files are, how it is tracked and retried is left out."""
    stages = spec.get("stages", [])
    found = {RECIPE: spec[RECIPE]} if RECIPE in spec else {}
    found |= dict(_of_model(spec.get("model", {})))
    seeds: dict[str, Value] = {}
    for stage in stages:
        values = dict(_flat(_settings(spec, stage), ()))
        if SEED in values:
            seeds[stage["name"]] = values.pop(SEED)
        found |= {f"{stage['name']}.{name}": value for name, value in values.items()}
    if seeds:
        found[SEED] = _one_seed(seeds)
    return found | {STAGES: " → ".join(map(_write_stage, stages))}


def _of_model(model: Mapping[str, Any]) -> Iterator[tuple[str, Value]]:
    if "uri" in model:
        yield MODEL, _source({key: model[key] for key in ("uri", "revision") if key in model})
    if "chatTemplate" in model:
        yield "chatTemplate", model["chatTemplate"]


def _settings(spec: Mapping[str, Any], stage: Mapping[str, Any]) -> dict[str, Any]:
    kind = _kind(stage)
    shared = spec.get("compute", {}) if kind in _KINDS and _KINDS[kind].loads_model else {}
    model = {"model": stage["model"]} if "model" in stage else {}
    return {**without_limits(stage.get(kind, {})), **model, **shared, **stage.get("compute", {})}


def _kind(stage: Mapping[str, Any]) -> str:
    return next((kind for kind in _KINDS if kind in stage), "")


def _write_stage(stage: Mapping[str, Any]) -> str:
    kind = _kind(stage)
    return stage["name"] if kind == stage["name"] else f"{stage['name']} ({kind})"


def _one_seed(seeds: Mapping[str, Value]) -> Value:
    """Return the seed of all stages, or each stage's where they differ."""
    first = next(iter(seeds.values()))
    if all(seed == first for seed in seeds.values()):
        return first
    return ", ".join(f"{stage} {seed}" for stage, seed in seeds.items())


def _flat(tree: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, Value]]:
    for key, value in tree.items():
        here = path if key in _LEFT_OUT else (*path, key)
        if isinstance(value, dict) and not _is_source(value):
            yield from _flat(value, here)
        else:
            yield ".".join(here), _readable(value)


def _readable(value: Any) -> Value:
    if isinstance(value, list):
        return (" + " if any(map(_is_source, value)) else ", ").join(str(_readable(item)) for item in value)
    if isinstance(value, dict):
        return _source(value) if _is_source(value) else " ".join(f"{key} {_readable(part)}" for key, part in value.items())
    return value if isinstance(value, str | int | float) else json.dumps(value)


def _is_source(value: Any) -> bool:
    """Return whether a value is a dataset or an endpoint, which people read as one thing."""
    return isinstance(value, dict) and ("uri" in value or "baseUrl" in value)


def _source(value: Mapping[str, Any]) -> str:
    """Write a dataset as owner/name (split, maxExamples 1000), an endpoint as model at url, a model with its revision."""
    if "uri" in value:
        head, written = str(value["uri"]).removeprefix("hf://"), {"uri", "name"}
    else:
        head, written = f"{value.get('model', 'model')} at {value['baseUrl']}", {"baseUrl", "model"}
    rest = {key: _readable(part) for key, part in value.items() if key not in written}
    details = [str(part) if key in ("configuration", "split") else f"{key} {part}" for key, part in rest.items()]
    return f"{head} ({', '.join(details)})" if details else head
