"""Where the settings of the stages that made a model come from."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from alignment_api.resolving.recipes import recipe_names, resolve
from alignment_api.spec.job import AlignmentJobSpec
from alignment_api.trees import below, leaves
from pydantic.alias_generators import to_camel

_OF_THE_JOB = "the job"


class Setting(NamedTuple):
    """One value, and whether the job, its recipe or the defaults chose it."""

    field: str
    value: str
    origin: str


def settings_of(spec: AlignmentJobSpec, stages: Collection[str]) -> Iterator[Setting]:
    """Yield the settings of some stages; a value that recipe or defaults give too counts as theirs."""
    named = [stage for stage in spec.stages or [] if stage.name in stages]
    if not named:
        return
    kinds = {stage.name: to_camel(stage.kind) for stage in named}
    bare = {
        **spec.dump(),
        "recipe": spec.recipe if spec.recipe in recipe_names() else None,
        "stages": [{"name": stage.name, kinds[stage.name]: {}} for stage in named],
    }
    resolved = resolve(AlignmentJobSpec.parse_stored({name: value for name, value in bare.items() if value is not None}))
    given = dict(leaves(resolved.spec.dump()))
    for index, stage in enumerate(named):
        for keys, value in leaves(stage.settings.dump()):
            path = ("stages", index, kinds[stage.name], *keys)
            origin = resolved.origins.get(below("spec", path)) if given.get(path) == value else None
            yield Setting(below(stage.name, keys), str(value), origin.source if origin else _OF_THE_JOB)
