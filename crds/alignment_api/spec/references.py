"""Rules about the names by which stages of one job refer to each other."""

from collections.abc import Callable, Iterator
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic.alias_generators import to_camel

from alignment_api.schema import Rule, Schema
from alignment_api.spec.data import Dataset
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.parts import RowsRead, models_asked, rows_read
from alignment_api.spec.stage_model import BASE, StageModel
from alignment_api.spec.stages import Stage


class _Reading(NamedTuple):
    """A field that reads rows, and the position of its stage."""

    position: int
    read: RowsRead


class _Named(NamedTuple):
    """A field that names an earlier stage for its model, and the position of its stage."""

    position: int
    field: str
    stage: str


def _models_named(stages: list[Stage]) -> Iterator[_Named]:
    for index, stage in enumerate(stages):
        models = [("model", stage.model), *models_asked(stage)]
        yield from (_Named(index, f"{field}.stage", model.stage) for field, model in models if model and model.stage)


def _forward_reference(stages: list[Stage]) -> _Named | None:
    """Find the first field that names the model of a stage that is not earlier."""
    names = [stage.name for stage in stages]
    return next((named for named in _models_named(stages) if named.stage not in names[: named.position]), None)


def _blame_reference(spec: Any) -> tuple[str, str]:
    named = _forward_reference(spec.stages)
    assert named is not None
    earlier = [stage.name for stage in spec.stages[: named.position]]
    known = f"name one of {', '.join(earlier)}" if earlier else "before the first stage there is only the base model"
    return f"stages[{named.position}].{named.field}", f"{named.stage!r} is not an earlier stage; {known}"


def _repeated_name(stages: list[Stage]) -> int | None:
    names = [stage.name for stage in stages]
    return next((index for index, name in enumerate(names) if name in names[:index]), None)


def _blame_name(spec: Any) -> tuple[str, str]:
    index = _repeated_name(spec.stages)
    assert index is not None
    return f"stages[{index}].name", f"{spec.stages[index].name!r} is the name of an earlier stage already; rename one of them"


def _readings(stages: list[Stage]) -> Iterator[_Reading]:
    for index, stage in enumerate(stages):
        yield from (_Reading(index, read) for read in rows_read(stage))


def _forward_reading(stages: list[Stage]) -> _Reading | None:
    """Find the first field that reads rows of a stage that is not earlier."""
    earlier = [{stage.name for stage in stages[:index]} for index in range(len(stages))]
    return next((found for found in _readings(stages) if found.read.stage not in earlier[found.position]), None)


def _blame_forward_reading(spec: Any) -> tuple[str, str]:
    found = _forward_reading(spec.stages)
    assert found is not None
    writers = [stage.name for stage in spec.stages[: found.position] if _leaves_rows(stage)]
    reader = spec.stages[found.position].name
    known = f"name one of {', '.join(writers)}" if writers else f"name a uri, or add {_rows_kinds()} before stage {reader!r}"
    return _field(found), f"{found.read.stage!r} is not a stage before {reader!r}; {known}"


def _rowless_reading(stages: list[Stage]) -> _Reading | None:
    """Find the first field that reads rows of a stage whose kind writes none."""
    rowless = {stage.name for stage in stages if not _leaves_rows(stage)}
    return next((found for found in _readings(stages) if found.read.stage in rowless), None)


def _blame_rowless_reading(spec: Any) -> tuple[str, str]:
    found = _rowless_reading(spec.stages)
    assert found is not None
    kind = next(stage.kind for stage in spec.stages if stage.name == found.read.stage)
    return _field(
        found
    ), f"stage {found.read.stage!r} is of kind {to_camel(kind)}, which writes no rows; name {_rows_kinds()}, or a uri"


def _called_base(spec: Any) -> int | None:
    """Return the position of a stage whose name means the job's own model where models are measured or exported."""
    stages: list[Stage] = spec.stages or []
    names_base = any(KINDS[stage.kind].reports for stage in stages)
    return next((index for index, stage in enumerate(stages) if names_base and stage.name == BASE), None)


def _blame_base(spec: Any) -> tuple[str, str]:
    return f"stages[{_called_base(spec)}].name", f"{BASE!r} is how reports call the job's own model; choose another name"


def _field(found: _Reading) -> str:
    return f"stages[{found.position}].{found.read.field}"


def _leaves_rows(stage: Stage) -> bool:
    return KINDS[stage.kind].leaves == "Rows"


def _rows_kinds() -> str:
    return f"a stage of kind {' or '.join(to_camel(kind) for kind in KINDS if KINDS[kind].leaves == 'Rows')}"


def _for_each(wanted: type[Schema], annotation: Any, place: str, condition: Callable[[str], str]) -> str | None:
    """Return the CEL that checks each part of one type below a place of the schema; None if it can have none."""
    if annotation is wanted:
        return condition(place)
    if get_origin(annotation) in (Annotated, Union, UnionType):
        found = (_for_each(wanted, argument, place, condition) for argument in get_args(annotation))
        return next((cel for cel in found if cel), None)
    if get_origin(annotation) is list:
        item = place.rpartition(".")[2].removesuffix("s")
        each = _for_each(wanted, get_args(annotation)[0], item, condition)
        return each and f"{place}.all({item}, {each})"
    if not (isinstance(annotation, type) and issubclass(annotation, Schema)):
        return None
    fields = {f"{place}.{to_camel(name)}": field.annotation for name, field in annotation.model_fields.items()}
    cels = {field: _for_each(wanted, inner, field, condition) for field, inner in fields.items()}
    return " && ".join(f"(!has({field}) || {cel})" for field, cel in cels.items() if cel) or None


def _of_each(wanted: type[Schema], condition: str) -> str:
    """Return the CEL of a condition on each part of one type that names a stage; NAMED in it is the part."""
    asked = _for_each(wanted, Stage, "stage", lambda place: f"!has({place}.stage) || {condition.replace('NAMED', place)}")
    return f"!has(self.stages) || self.stages.all(index, stage, {asked})"


_IS_EARLIER = "self.stages.exists(before, other, before < index && other.name == NAMED.stage)"

MODEL_OF_AN_EARLIER_STAGE = Rule(
    _of_each(StageModel, _IS_EARLIER),
    lambda spec: _forward_reference(spec.stages or []) is None,
    "a stage's model.stage must name an earlier stage",
    _blame_reference,
    is_relied_on=True,
)
UNIQUE_NAMES = Rule(
    "!has(self.stages) || self.stages.all(stage, self.stages.exists_one(other, other.name == stage.name))",
    lambda spec: _repeated_name(spec.stages or []) is None,
    "stage names must be unique",
    _blame_name,
    is_relied_on=True,
)
NO_STAGE_IS_BASE = Rule(
    f"!has(self.stages) || !self.stages.exists(stage, stage.name == '{BASE}') || !self.stages.exists(stage, "
    + " || ".join(f"has(stage.{to_camel(kind)})" for kind in KINDS if KINDS[kind].reports)
    + ")",
    lambda spec: _called_base(spec) is None,
    f"in a job that measures or exports models, no stage can be called {BASE}: that is the job's own model",
    _blame_base,
)
ROWS_OF_AN_EARLIER_STAGE = Rule(
    _of_each(Dataset, _IS_EARLIER),
    lambda spec: _forward_reading(spec.stages or []) is None,
    "a dataset's stage must name an earlier stage",
    _blame_forward_reading,
    is_relied_on=True,
)
ROWS_OF_A_STAGE_THAT_WRITES_THEM = Rule(
    _of_each(
        Dataset,
        "!self.stages.exists(other, other.name == NAMED.stage && !("
        + " || ".join(f"has(other.{to_camel(kind)})" for kind in KINDS if KINDS[kind].leaves == "Rows")
        + "))",
    ),
    lambda spec: _rowless_reading(spec.stages or []) is None,
    f"a dataset's stage must write rows: name {_rows_kinds()}",
    _blame_rowless_reading,
)
