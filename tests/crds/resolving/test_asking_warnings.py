"""Each warning about a stage that asks teachers or judges, just inside and just outside its limit."""

from typing import Any

import pytest
from alignment_api.resolving.recipes import resolve
from alignment_api.resolving.warnings import spec_warnings
from alignment_api.spec.job import AlignmentJobSpec


def server(model: str, price: float | None = None) -> dict[str, Any]:
    charged = {} if price is None else {"price": {"promptPerMillionTokens": 0, "answerPerMillionTokens": price}}
    return {"baseUrl": f"http://{model}:8000/v1", "model": model, **charged}


def rows(name: str, **others: Any) -> dict[str, Any]:
    return {"uri": f"workspace://{name}.jsonl", **others}


def distilling(price: float | None, **budget: float) -> dict[str, Any]:
    return {"distill": {"teachers": [server("free"), server("teacher", price)], "prompts": [rows("a")], "budget": budget}}


def judging(judge: str, *responders: str, **others: Any) -> dict[str, Any]:
    answering = [{"endpoint": server(name)} for name in responders]
    return {"feedback": {"responders": [*answering, {"model": {"base": True}}], "judge": server(judge), **others}}


def rounds(number: int, judge: str = "judge", question: dict[str, Any] | None = None, mode: str = "Online") -> dict[str, Any]:
    judging = {"endpoint": server(judge), "questions": [rows("questions"), question or rows("more")]}
    settings = {"teacher": server("teacher"), "prompts": [rows("a", split="train")], "roundJudge": judging}
    return {"dpoDistillation": {**settings, "mode": mode, "rounds": number}}


COLD = {"sampling": {"temperature": 0}}
SITUATIONS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("a free teacher", distilling(None), []),
    ("a teacher that charges nothing", distilling(0), []),
    ("a teacher that charges", distilling(0.5), ["distill.budget"]),
    ("a limit of the cost", distilling(0.5, cost=3), []),
    ("a limit of the tokens", distilling(0.5, tokens=3), []),
    ("a limit of the requests", distilling(0.5, requests=3), []),
    ("a judge of others", judging("judge", "one", "two", "three"), []),
    ("a judge of itself", judging("two", "one", "two", "three"), ["feedback.judge"]),
    ("cold models, each once", judging("judge", "one", "two", "three", **COLD), []),
    ("cold models, one twice", judging("judge", "one", "two", **COLD), ["feedback.sampling.temperature"]),
    ("cold models, under principles", judging("judge", "one", principles={"honesty": 0.5}, **COLD), []),
    ("warm models, one twice", judging("judge", "one", sampling={"temperature": 0.1}), []),
    ("two rounds", rounds(2), []),
    ("one round", rounds(1), ["dpoDistillation.rounds"]),
    ("one offline round", rounds(1, mode="Offline"), []),
    ("the teacher judges", rounds(2, judge="teacher"), ["dpoDistillation.roundJudge.endpoint"]),
    ("questions of another split", rounds(2, question=rows("a", split="test")), []),
    ("questions that are prompts", rounds(2, question=rows("a", split="train")), ["dpoDistillation.roundJudge.questions"]),
]


@pytest.mark.parametrize(("stage", "fields"), [row[1:] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS])
def test_the_warnings_about_a_stage(stage: dict[str, Any], fields: list[str]) -> None:
    document = {"model": {"uri": "workspace://base"}, "stages": [{"name": "one", **stage}]}
    found = spec_warnings(resolve(AlignmentJobSpec.parse(document)).spec)
    assert [path.removeprefix("spec.stages[0].") for path, _ in found] == fields
