"""Rules that only the API server checks: about changes, about what a cluster needs, and those that Python checks elsewhere."""

from typing import NamedTuple, get_args

from pydantic.alias_generators import to_camel

from alignment_api.names import JOB_NAME_MAXIMUM
from alignment_api.resolving.recipes import recipe_names
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.stages import PreferenceSettings, Stage


class AdmissionRule(NamedTuple):
    """One condition, at a node of the schema."""

    path: tuple[str, ...]
    """The properties that lead to the node; a rule is checked again only when something at its node or below has changed."""
    cel: str
    message: str


_NAME = AdmissionRule(
    (),
    f"self.metadata.name.size() <= {JOB_NAME_MAXIMUM} && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    f"the name must start with a lowercase letter, contain only lowercase letters, digits and '-', and have at most "
    f"{JOB_NAME_MAXIMUM} characters: pods are named after it",
)
# A stage that runs or has succeeded keeps its settings, so that its result matches the spec.
_BEGUN = AdmissionRule(
    (),
    "!has(oldSelf.status) || !has(oldSelf.status.stages) || !has(oldSelf.spec.stages) || "
    "oldSelf.status.stages.all(seen, !(seen.state in ['Running', 'Succeeded']) || "
    "!oldSelf.spec.stages.exists(old, old.name == seen.name) || "
    "(has(self.spec.stages) && self.spec.stages.exists(new, new.name == seen.name && "
    "oldSelf.spec.stages.exists(old, old.name == seen.name && "
    + " && ".join(
        f"has(old.{kind}) == has(new.{kind}) && (!has(old.{kind}) || old.{kind} == new.{kind})"
        for kind in ("model", *map(to_camel, KINDS))
    )
    + "))))",
    "a stage that is running or has succeeded keeps its settings; suspend the job first, or apply it as another job",
)
_BEGUN_MODEL = AdmissionRule(
    (),
    "!has(oldSelf.status) || !has(oldSelf.status.stages) || "
    "!oldSelf.status.stages.exists(seen, seen.state in ['Running', 'Succeeded']) || "
    "(has(self.spec.model) == has(oldSelf.spec.model) && (!has(self.spec.model) || self.spec.model == oldSelf.spec.model) && "
    "has(self.spec.recipe) == has(oldSelf.spec.recipe) && (!has(self.spec.recipe) || self.spec.recipe == oldSelf.spec.recipe))",
    "model and recipe stay as they are once a stage is running or has succeeded; apply it as another job",
)
# Definition and operator are one release and have the same recipes. The rule is at the field itself, so that a job can be
# suspended and deleted even if a later release removed its recipe. Python checks the same (recipes.UnknownRecipe).
_RECIPE = AdmissionRule(
    ("spec", "recipe"),
    f"self in {recipe_names()}",
    f"must be a recipe of this version: {', '.join(recipe_names())}",
)
# A local run needs none. On a cluster, the backend refuses older stored jobs with the same message.
_STORAGE = AdmissionRule(
    ("spec",),
    "has(self.storage)",
    "set storage, the workspace volume: claimName (an existing claim) or size (creates a claim)",
)


_PAIRED = [kind for kind in KINDS if issubclass(get_args(Stage.model_fields[kind].annotation)[0], PreferenceSettings)]


def _first_set(kinds: list[str], setting: str) -> str:
    """Return the CEL of a setting that a stage has under one of several kinds."""
    first, *others = (f"stage.?{to_camel(kind)}.?{setting}" for kind in kinds)
    return first + "".join(f".or({other})" for other in others)


def _indivisible_batch() -> AdmissionRule:
    """Refuse a batch that cannot be divided, where the spec alone decides it; combinations.py checks the other cases."""
    batch = _first_set([kind for kind in KINDS if KINDS[kind].trains], "optimization.?globalBatchSize")
    written = {
        field: f"stage.?compute.?{field}.or(self.?compute.?{field})"
        for field in ("nodes", "gpusPerNode", "processesPerNode", "microBatchSize")
    }
    processes = (
        f"({written['gpusPerNode']}.value() > 0 ? {written['gpusPerNode']}.value() : {written['processesPerNode']}.orValue(1))"
    )
    # Pairs are packed unless the spec sets Padded; packed pairs fill no micro-batches.
    is_paired = " || ".join(f"has(stage.{to_camel(kind)})" for kind in _PAIRED)
    packs = f"({is_paired}) && {_first_set(_PAIRED, 'batching')}.orValue('Packed') == 'Packed'"
    together = f"{written['nodes']}.value() * {processes} * ({packs} ? 1 : {written['microBatchSize']}.value())"
    unwritten = " || ".join(
        f"!{part}.hasValue()" for part in (batch, *(written[field] for field in ("nodes", "gpusPerNode", "microBatchSize")))
    )
    return AdmissionRule(
        ("spec",),
        # A recipe may give one stage its own compute.
        f"has(self.recipe) || !has(self.stages) || self.stages.all(stage, {unwritten} || {batch}.value() % ({together}) == 0)",
        "a stage's globalBatchSize must be a multiple of nodes x gpusPerNode (or processesPerNode, on CPUs) x microBatchSize "
        "(without microBatchSize for packed pairs)",
    )


ADMISSION_RULES = (_NAME, _BEGUN, _BEGUN_MODEL, _RECIPE, _STORAGE, _indivisible_batch())
