"""Every endpoint of a stage is found, also in kinds that do not exist yet."""

import re
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from alignment_api.schema import Schema
from alignment_api.spec.endpoints import Endpoint
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.parts import endpoints_of, judge_sampling, judges_of, key_secrets
from alignment_api.spec.stages import Stage
from pydantic import TypeAdapter
from pydantic.alias_generators import to_camel


def endpoint(name: str, secret: str | None = None) -> dict[str, Any]:
    key = {"apiKeySecret": {"name": secret, "key": "api-key"}} if secret else {}
    return {"baseUrl": f"https://{name}.example.com/v1", "model": name, **key}


STAGES = {
    "distill": (
        {"teachers": [endpoint("one", "a"), endpoint("two")], "user": endpoint("three")},
        {"distill.teachers[0]": "one", "distill.teachers[1]": "two", "distill.user": "three"},
    ),
    "feedback": (
        {
            "responders": [{"endpoint": endpoint("one", "a")}, {"model": {"base": True}}, {"endpoint": endpoint("two", "b")}],
            "judge": endpoint("three", "a"),
        },
        {"feedback.responders[0].endpoint": "one", "feedback.responders[2].endpoint": "two", "feedback.judge": "three"},
    ),
    "sft": ({"datasets": [{"uri": "workspace://rows.jsonl"}]}, {}),
    "dpo": ({"datasets": [{"uri": "workspace://rows.jsonl"}]}, {}),
    "dpo_distillation": (
        {
            "teacher": endpoint("one", "a"),
            "roundJudge": {"endpoint": endpoint("three"), "questions": [{"uri": "workspace://questions.jsonl"}]},
        },
        {
            "dpoDistillation.teacher": "one",
            "dpoDistillation.roundJudge.endpoint": "three",
        },
    ),
    "evaluate": (
        {"tasks": [{"name": "arc", "benchmark": "arc_challenge"}], "judges": [endpoint("one", "a")]},
        {"evaluate.judges[0]": "one"},
    ),
    "export": ({"quantization": "Int8"}, {}),
}
OTHERS = {"dpo_distillation": ({"student": endpoint("two")}, {"dpoDistillation.student": "two"})}
"""What cannot stand beside the settings above."""


def a_stage(kind: str) -> Stage:
    return a_stage_of(kind, STAGES)


def a_stage_of(kind: str, table: Mapping[str, Any]) -> Stage:
    return Stage.parse({"name": "stage", to_camel(kind): table[kind][0]})


@pytest.mark.parametrize(("kind", "table"), [*((kind, STAGES) for kind in KINDS), *((kind, OTHERS) for kind in OTHERS)])
def test_the_endpoints_of_a_stage(kind: str, table: Mapping[str, Any]) -> None:
    assert {field: known.model for field, known in endpoints_of(a_stage_of(kind, table))} == table[kind][1]


def test_a_stage_without_settings_has_no_endpoints() -> None:
    assert endpoints_of(Stage.parse({"name": "stage", "feedback": {}})) == []


def fields_that_hold_endpoints(kind: str) -> Iterator[str]:
    """Walk the types, and not a value: a field that a later version adds is walked too."""
    yield from _holders(Stage.model_fields[kind].annotation, to_camel(kind))


def _holders(annotation: Any, field: str) -> Iterator[str]:
    if annotation is Endpoint:
        yield field
    elif isinstance(annotation, type) and issubclass(annotation, Schema):
        for name, known in annotation.model_fields.items():
            yield from _holders(known.annotation, f"{field}.{to_camel(name)}")
    elif get_origin(annotation) in (Union, UnionType):
        for argument in get_args(annotation):
            yield from _holders(argument, field)
    else:
        for argument in get_args(annotation):
            yield from _holders(argument, f"{field}[0]")


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_has_every_field_that_can_hold_an_endpoint(kind: str) -> None:
    known = [*STAGES[kind][1], *OTHERS.get(kind, ({}, {}))[1]]
    assert set(fields_that_hold_endpoints(kind)) == {re.sub(r"\[\d+\]", "[0]", field) for field in known}


def test_endpoints_are_found_in_nested_models_maps_and_lists() -> None:
    class Panel(Schema):
        members: dict[str, list[Endpoint]]

    class Later(Schema):
        panel: Panel

    settings = TypeAdapter(Later).validate_python({"panel": {"members": {"strict": [endpoint("one")]}}})

    class LaterStage(Stage):
        @property
        def kind(self) -> str:
            return "later"

        @property
        def settings(self) -> Schema:
            return settings

    stage = LaterStage.model_construct(name="stage")
    assert [field for field, _ in endpoints_of(stage)] == ["later.panel.members.strict[0]"]


def test_a_key_of_several_endpoints_is_listed_once() -> None:
    stages = [a_stage(kind) for kind in KINDS]
    assert [(secret.name, secret.key) for secret in key_secrets(stages)] == [("a", "api-key"), ("b", "api-key")]


@pytest.mark.parametrize("kind", STAGES)
def test_a_judge_is_found_by_the_name_of_its_field(kind: str) -> None:
    judges = {"feedback": ["feedback.judge"], "evaluate": ["evaluate.judges[0]"]}
    judges["dpo_distillation"] = ["dpoDistillation.roundJudge.endpoint"]
    assert [field for field, _ in judges_of(a_stage(kind))] == judges.get(kind, [])


@pytest.mark.parametrize(
    ("settings", "temperature"),
    [
        ({"feedback": {"sampling": {"temperature": 1}, "judgeSampling": {"temperature": 0.5}}}, 0.5),
        ({"feedback": {"sampling": {"temperature": 1}}}, None),
        (
            {
                "dpoDistillation": {
                    "teacherSampling": {"temperature": 1},
                    "roundJudge": {
                        "endpoint": endpoint("one"),
                        "questions": [{"uri": "workspace://questions.jsonl"}],
                        "sampling": {"temperature": 0.3},
                    },
                }
            },
            0.3,
        ),
        ({"evaluate": {"sampling": {"temperature": 1}, "judgeSampling": {"temperature": 2}, "judges": [endpoint("one")]}}, 2),
    ],
    ids=["feedback", "feedback without", "dpoDistillation", "evaluate"],
)
def test_a_judge_answers_as_its_own_field_says(settings: dict[str, Any], temperature: float | None) -> None:
    found = judge_sampling(Stage.parse({"name": "stage", **settings}))
    assert (found and found.temperature) == temperature
