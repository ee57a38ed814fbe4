"""Every constraint of every field is violated, and each violation is a sentence of ours, not of pydantic."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from alignment_api.problems import Problem, from_validation
from alignment_api.run_config import RunConfig
from alignment_api.schema import Schema
from alignment_api.spec.job import AlignmentJob
from pydantic import ValidationError

WRONG: tuple[Any, ...] = (
    None,
    True,
    "",
    "text",
    "Ω b",
    "x" * 600_000,
    "2",
    "1.5",
    0,
    -1,
    5,
    1.5,
    10**30,
    -(10**30),
    float("nan"),
    [],
    [None] * 300,
    ["x"] * 300,
    {},
    {"zzz": 1},
    {f"k{number}": "v" for number in range(300)},
)
"""Values of which each constraint refuses at least one."""

ERRORS = {
    "minimum": "greater_than_equal",
    "exclusiveMinimum": "greater_than",
    "maximum": "less_than_equal",
    "exclusiveMaximum": "less_than",
    "minLength": "string_too_short",
    "maxLength": "string_too_long",
    "minItems": "too_short",
    "maxItems": "too_long",
    "pattern": "string_pattern_mismatch",
    "enum": "literal_error",
    "const": "literal_error",
}
"""The type of pydantic's error for each constraint of a JSON schema."""

PYDANTIC = re.compile(
    r"Input|should (be|have|match)|validation|Value error|Field required|not permitted|Invalid JSON|pydantic|docs/reference|"
    r"\bvalid (string|integer|number|boolean|list|array|dict|object|datetime)"
)


def models(root: type[Schema]) -> set[type[Schema]]:
    """Return a model and all models within it."""
    found: set[type[Schema]] = set()
    waiting = [root]
    while waiting:
        model = waiting.pop()
        if model not in found:
            found.add(model)
            waiting += [each for field in model.model_fields.values() for each in models_in(field.annotation)]
    return found


def models_in(annotation: Any) -> Iterator[type[Schema]]:
    if isinstance(annotation, type) and issubclass(annotation, Schema):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from models_in(argument)


MODELS = sorted(models(AlignmentJob) | models(RunConfig), key=lambda model: model.__name__)


@cache
def refusals(model: type[Schema]) -> list[tuple[str, str, Problem]]:
    """Return for each wrong value of each field: the field, the type of the error, and the problem that users see."""
    found = []
    for field in model.model_json_schema(by_alias=True)["properties"]:
        for value in WRONG:
            try:
                model.parse({field: value})
            except ValidationError as error:
                details, problems = error.errors(), from_validation(error, model)
                of_field = [pair for pair in zip(details, problems, strict=True) if pair[0]["loc"][:1] == (field,)]
                found += [(field, detail["type"], problem) for detail, problem in of_field]
    return found


@pytest.mark.parametrize("model", MODELS, ids=[model.__name__ for model in MODELS])
def test_every_sentence_is_ours(model: type[Schema]) -> None:
    for field, kind, problem in refusals(model):
        assert problem.path.startswith(field), (kind, problem)
        assert not PYDANTIC.search(problem.sentence), (kind, problem)
        assert "\n" not in problem.sentence and len(problem.sentence) < 600, (kind, problem)


@pytest.mark.parametrize("model", MODELS, ids=[model.__name__ for model in MODELS])
def test_every_constraint_was_violated(model: type[Schema]) -> None:
    seen = {(field, kind) for field, kind, _ in refusals(model)}
    schema = model.model_json_schema(by_alias=True)
    for field, described in schema["properties"].items():
        for either in described.get("anyOf", [described]):
            expected = {ERRORS[key] for key in either if key in ERRORS and either.get("type") != "null"}
            assert expected <= {kind for name, kind in seen if name == field}, (field, either)
