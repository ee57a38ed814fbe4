"""Named recipes, and how spec, recipe and defaults become one resolved spec; reads only files of this package."""

import copy
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from pydantic.alias_generators import to_camel

from alignment_api.document import leaf_comments, parse_document
from alignment_api.spec.job import AlignmentJobSpec
from alignment_api.spec.kinds import KINDS
from alignment_api.trees import below, leaves

Tree = dict[str, Any]

_FOLDER = files("alignment_api").joinpath("recipes")

# Taken whole from one source: half of one and half of another would make no sense.
_WHOLE = {"warmup", "holdout", "storage", "nodeSelector"}
# Who sets one of these does not want the other.
_RIVALS = {"epochs": "maxSteps", "maxSteps": "epochs"}
# Filled in if the user sets them, never added.
_ON_REQUEST = {"adapter", "decontamination", "roundJudge", "proof"}
_KINDS = tuple(map(to_camel, KINDS))


class Origin(NamedTuple):
    """Where a value comes from, and its reason if that is a recipe or a default."""

    source: str
    reason: str


class Resolved(NamedTuple):
    """A spec with every value that its recipe and the defaults have, and where each value comes from."""

    spec: AlignmentJobSpec
    origins: Mapping[str, Origin]


class UnknownRecipe(ValueError):
    """No recipe has this name."""


class _Layer(NamedTuple):
    """One source of values, and the comments of its file by path."""

    source: str
    comments: Mapping[str, str]

    def origin(self, path: str) -> Origin:
        return Origin(self.source, self.comments.get(path, ""))


def recipe_names() -> list[str]:
    """List the recipes of this version."""
    names = (entry.name.removesuffix(".yaml") for entry in _FOLDER.iterdir() if entry.name.endswith(".yaml"))
    return sorted(name for name in names if name != "defaults")


def recipe_text(name: str) -> str:
    """Return the text of a recipe's file, with its comments."""
    if name not in recipe_names():
        raise UnknownRecipe(f"{name!r} is not a recipe; choose one of {', '.join(recipe_names())}")
    return _text(name)


@cache
def _text(name: str) -> str:
    return _FOLDER.joinpath(f"{name}.yaml").read_text(encoding="utf-8")


@cache
def _comments(name: str) -> dict[str, str]:
    return leaf_comments(_text(name))


def _tree(name: str) -> Tree:
    tree: Tree = json.loads(_json(name))
    return tree


@cache
def _json(name: str) -> str:
    """Return a recipe as JSON: parsing YAML each time would take longer than the rest of a reconcile."""
    return json.dumps(parse_document(_text(name), f"{name}.yaml"))


class Recorded(NamedTuple):
    """A spec as its author wrote it, and as it was resolved, perhaps by an earlier version."""

    written: Tree
    resolved: Tree


def resolve(spec: AlignmentJobSpec, recorded: Recorded | None = None) -> Resolved:
    """Fill unset fields of the spec from its record, then from its recipe and the defaults."""
    resolving = _Resolving(spec.dump())
    if recorded is None:
        resolving.add_named_recipe(spec.recipe)
    elif spec.recipe == recorded.written.get("recipe"):
        resolving.add_recorded(recorded)
        # If this version no longer has the recipe, the record holds all of its values.
        resolving.add_named_recipe(spec.recipe if spec.recipe in recipe_names() else None)
    else:
        # The new recipe wins over the record, and the values of the old recipe are dropped.
        resolving.add_named_recipe(spec.recipe)
        resolving.add_recorded(_without_recipe(recorded))
    resolving.add_defaults(_Layer("default", _comments("defaults")), _tree("defaults"))
    # An unchanged spec was accepted by an earlier version; rules that were added since must not stop it.
    is_as_recorded = recorded is not None and spec.dump() == recorded.written
    parse = AlignmentJobSpec.parse_stored if is_as_recorded else AlignmentJobSpec.parse
    return Resolved(parse(resolving.values), resolving.origins)


def _without_recipe(recorded: Recorded) -> Recorded:
    """Add the recorded recipe's values to those that the author wrote, so that they are dropped with the recipe."""
    name = recorded.written.get("recipe")
    if name is None or name not in recipe_names():
        return recorded
    with_recipe = _Resolving(copy.deepcopy(recorded.written))
    with_recipe.add_named_recipe(name)
    return Recorded(with_recipe.values, recorded.resolved)


class _Resolving:
    """The values so far, and the origin of each."""

    def __init__(self, values: Tree) -> None:
        self.values = values
        # What the author sets for all stages wins over what a recipe sets for one.
        self._for_all_stages = set(values.get("compute", {}))
        self.origins: dict[str, Origin] = {}
        self._note(values, "spec", "spec", _Layer("spec", {}))

    def add_named_recipe(self, name: str | None) -> None:
        if name:
            recipe_text(name)
            self.add_recipe(_Layer(f"recipe {name}", _comments(name)), _tree(name))

    def add_recorded(self, recorded: Recorded) -> None:
        """Fill in recorded values, except those that the author has removed since."""
        layer = _Layer("record", {})
        resolved = {key: value for key, value in recorded.resolved.items() if key != "stages"}
        self._fill(self.values, resolved, "spec", "", layer, recorded.written)
        edited = _changed_keys(recorded.written.get("compute", {}), self.values.get("compute", {})) & self._for_all_stages
        known = {stage["name"]: _without_compute(stage, edited) for stage in recorded.resolved.get("stages", [])}
        if known and "stages" not in self.values and "stages" not in recorded.written:
            self.values["stages"] = copy.deepcopy(list(known.values()))
        written = {stage["name"]: stage for stage in recorded.written.get("stages", [])}
        for index, stage in enumerate(self.values.get("stages", [])):
            before = known.get(stage["name"])
            if before is not None and _kind(before) == _kind(stage):
                match = {key: value for key, value in before.items() if key not in ("name", "model")}
                self._fill(stage, match, f"spec.stages[{index}]", "", layer, written.get(stage["name"], {}))

    def add_recipe(self, layer: _Layer, recipe: Tree) -> None:
        stages = [_without_compute(stage, self._for_all_stages) for stage in recipe.pop("stages", [])]
        self._fill(self.values, recipe, "spec", "", layer)
        if "stages" not in self.values:
            self.values["stages"] = copy.deepcopy(stages)
            for index in range(len(stages)):
                self._note(stages[index], f"spec.stages[{index}]", f"stages[{index}]", layer)
            return
        for index, stage in enumerate(self.values["stages"]):
            found = _matching_stage(stage, stages)
            if found is not None:
                match = {key: value for key, value in stages[found].items() if key not in ("name", "model")}
                self._fill(stage, match, f"spec.stages[{index}]", f"stages[{found}]", layer)

    def add_defaults(self, layer: _Layer, defaults: Tree) -> None:
        kinds = defaults.pop("kinds")
        self._fill(self.values, defaults, "spec", "", layer)
        for index, stage in enumerate(self.values.get("stages", [])):
            kind = _kind(stage)
            self._fill(stage[kind], kinds.get(kind, {}), f"spec.stages[{index}].{kind}", f"kinds.{kind}", layer)

    def _fill(
        self, target: Tree, source: Tree, path: str, source_path: str, layer: _Layer, removed_from: Tree | None = None
    ) -> None:
        """Fill in what the target lacks, except what `removed_from` has: its author has removed it."""
        for key, value in source.items():
            here, there = f"{path}.{key}", f"{source_path}.{key}" if source_path else key
            before = (removed_from or {}).get(key)
            if key in target:
                if isinstance(value, dict) and isinstance(target[key], dict) and key not in _WHOLE:
                    self._fill(target[key], value, here, there, layer, before if isinstance(before, dict) else None)
            elif before is not None or _RIVALS.get(key) in target or (layer.source == "default" and key in _ON_REQUEST):
                continue
            else:
                # A copy: a later layer fills it in, and stages must not share it.
                target[key] = copy.deepcopy(value)
                self._note(value, here, there, layer)

    def _note(self, value: Any, path: str, source_path: str, layer: _Layer) -> None:
        if not isinstance(value, dict | list):
            # Nearly all values, and the operator resolves each job at each reconcile.
            self.origins[path] = layer.origin(source_path)
            return
        for keys, _ in leaves(value):
            self.origins[below(path, keys)] = layer.origin(below(source_path, keys))


def _without_compute(stage: Tree, keys: set[str]) -> Tree:
    compute = {key: value for key, value in stage.get("compute", {}).items() if key not in keys}
    others = {key: value for key, value in stage.items() if key != "compute"}
    return {**others, "compute": compute} if compute else others


def _changed_keys(before: Tree, after: Tree) -> set[str]:
    return {key for key in after if before.get(key) != after[key]}


def _kind(stage: Tree) -> str:
    return next(kind for kind in _KINDS if kind in stage)


def _matching_stage(stage: Tree, candidates: list[Tree]) -> int | None:
    """Return the index of the recipe's stage that fills this one: of its name and kind, or else the first of its kind."""
    kind = _kind(stage)
    same_kind = [index for index, candidate in enumerate(candidates) if kind in candidate]
    named = [index for index in same_kind if candidates[index]["name"] == stage["name"]]
    return next(iter(named or same_kind), None)
