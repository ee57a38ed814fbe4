"""A stage's hash changes with what its result depends on, and with nothing else."""

from typing import Any

import pytest
from alignment_api.resolving.validation import read_job, resolve_job
from alignment_api.spec.lineage import (
    building_on,
    foundations,
    input_hash,
    last_stages,
    models_needed,
    parent_of,
    rows_needed,
    stages_needed,
)
from branching_jobs import BRANCHES, DIAMOND
from builders import a_document, a_training

ENDPOINT = {"baseUrl": "http://teacher:8000/v1", "model": "t"}
STAGES = [
    {"name": "sft", "sft": a_training()},
    {"name": "dpo", "dpo": a_training()},
    {"name": "raw", "model": {"base": True}, "dpo": a_training()},
    {"name": "again", "model": {"stage": "sft"}, "dpo": a_training()},
]

MAPPED = {"uri": "workspace://rows.jsonl", "columns": {"messages": "chat"}}


def resolved(**spec: Any) -> Any:
    return resolve_job(read_job(a_document(**{"stages": STAGES, **spec}))).spec


def test_a_stage_builds_on_the_latest_training_stage_unless_it_says_otherwise() -> None:
    spec = resolved()
    parents = [parent_of(spec, stage) for stage in spec.stages]
    assert [parent.name if parent else None for parent in parents] == [None, "sft", None, "sft"]


ASKING = {
    "responders": [{"model": {"stage": "sft"}}, {"model": {"base": True}}],
    "judge": ENDPOINT,
    "prompts": [{"uri": "hf://a/b"}],
}
GRAPHS: list[tuple[str, list[dict[str, Any]], dict[str, str], str]] = [
    ("by weights", STAGES, {"sft": "", "dpo": "sft", "raw": "", "again": "sft"}, "dpo raw again"),
    ("branches", BRANCHES, {"sft": "", "dpo-a": "sft", "dpo-b": "sft", "raw": ""}, "dpo-a dpo-b raw"),
    ("by rows and weights", DIAMOND, {"teach": "", "sft": "teach", "judge": "teach", "dpo": "sft judge"}, "dpo"),
    ("by a model that it asks", [STAGES[0], {"name": "ask", "feedback": ASKING}], {"sft": "", "ask": "sft"}, "ask"),
]


@pytest.mark.parametrize(("stages", "needed", "last"), [row[1:] for row in GRAPHS], ids=[row[0] for row in GRAPHS])
def test_what_a_stage_waits_for_is_what_it_uses(stages: list[dict[str, Any]], needed: dict[str, str], last: str) -> None:
    spec = resolved(stages=stages)
    found = {stage.name: " ".join(known.name for known in stages_needed(spec, stage)) for stage in spec.stages}
    assert found == needed
    assert [stage.name for stage in last_stages(spec)] == last.split()


def test_a_stage_builds_also_on_what_its_foundations_build_on() -> None:
    spec = resolved(stages=DIAMOND)
    assert foundations(spec) == {
        "teach": frozenset(),
        "sft": frozenset({"teach"}),
        "judge": frozenset({"teach"}),
        "dpo": frozenset({"teach", "sft", "judge"}),
    }
    assert [stage.name for stage in building_on(spec, spec.stages[1])] == ["dpo"]
    assert building_on(spec, spec.stages[3]) == []


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        ({}, []),
        ({"compute": {"nodes": 1, "gpusPerNode": 8}}, []),
        ({"suspend": True, "queueName": "q", "tracking": {"experiment": "e"}}, []),
        ({"model": {"uri": "workspace://other"}}, ["sft", "dpo", "raw", "again"]),
        ({"stages": [{"name": "sft", "sft": a_training(maxLength=32)}, *STAGES[1:]]}, ["sft", "dpo", "again"]),
        ({"stages": [{"name": "sft", "sft": a_training(datasets=[MAPPED])}, *STAGES[1:]]}, ["sft", "dpo", "again"]),
        ({"stages": [STAGES[0], {"name": "dpo", "dpo": a_training(beta=0.2)}, *STAGES[2:]]}, ["dpo"]),
    ],
)
def test_the_hash(change: dict[str, Any], changed: list[str]) -> None:
    before, after = resolved(), resolved(**change)
    differing = [
        old.name
        for old, new in zip(before.stages, after.stages, strict=True)
        if input_hash(before, old) != input_hash(after, new)
    ]
    assert differing == changed


def test_a_stage_that_only_asks_endpoints_depends_on_no_model() -> None:
    stages = [STAGES[0], {"name": "distill", "distill": {"teachers": [ENDPOINT], "prompts": [{"uri": "hf://a/b"}]}}]
    before, after = resolved(stages=stages), resolved(stages=stages, model={"uri": "workspace://other"})
    assert parent_of(before, before.stages[1]) is None
    assert input_hash(before, before.stages[1]) == input_hash(after, after.stages[1])


def test_the_hash_of_a_stage_that_reads_no_rows_of_stages_is_the_one_of_earlier_versions() -> None:
    # Another hash would run stages again that an earlier version has finished.
    spec = resolved()
    assert [input_hash(spec, stage) for stage in spec.stages] == [
        "581ff633bd973840",
        "4227bb7023d80257",
        "0ec77298897a564b",
        "4227bb7023d80257",
    ]


WRITTEN: list[dict[str, Any]] = [
    {"name": "distill", "distill": {"teachers": [ENDPOINT], "prompts": [{"uri": "hf://a/b"}]}},
    {"name": "sft", "sft": a_training(datasets=[{"stage": "distill", "fraction": 0.5}])},
    {"name": "raw", "model": {"base": True}, "sft": a_training()},
    {"name": "dpo", "model": {"stage": "sft"}, "dpo": a_training()},
    {
        "name": "judged",
        "feedback": {"responders": [{"endpoint": ENDPOINT}], "judge": ENDPOINT, "prompts": [{"stage": "distill"}]},
    },
    {"name": "last", "model": {"stage": "raw"}, "dpo": a_training(holdout={"datasets": [{"stage": "judged"}]})},
]


def with_stage(index: int, settings: dict[str, Any]) -> list[dict[str, Any]]:
    (kind,) = set(WRITTEN[index]) & {"distill", "feedback", "sft", "dpo"}
    return [*WRITTEN[:index], {**WRITTEN[index], kind: {**WRITTEN[index][kind], **settings}}, *WRITTEN[index + 1 :]]


@pytest.mark.parametrize(
    ("edit", "again"),
    [
        ((0, {"method": "Dialogues", "turns": 3}), ["distill", "sft", "dpo", "judged", "last"]),
        ((1, {"maxLength": 32}), ["sft", "dpo"]),
        ((1, {"datasets": [{"stage": "distill", "maxExamples": 3}]}), ["sft", "dpo"]),
        ((2, {"maxLength": 32}), ["raw", "last"]),
        ((4, {"answersPerPrompt": 3}), ["judged", "last"]),
    ],
    ids=["a teacher", "a reader", "what a reader takes", "an unrelated stage", "a reader that writes itself"],
)
def test_an_edit_runs_again_what_reads_its_rows_and_what_builds_on_that(edit: tuple[int, Any], again: list[str]) -> None:
    before, after = resolved(stages=WRITTEN), resolved(stages=with_stage(*edit))
    old, new = ({stage.name: input_hash(spec, stage) for stage in spec.stages} for spec in (before, after))
    assert [name for name in new if old[name] != new[name]] == again


def test_a_stage_needs_the_rows_of_earlier_stages_that_it_or_a_later_one_reads() -> None:
    spec = resolved(stages=WRITTEN)
    assert {stage.name: [read.name for read in rows_needed(spec, stage)] for stage in spec.stages} == {
        "distill": [],
        "sft": ["distill"],
        "raw": ["distill"],
        "dpo": ["distill"],
        "judged": ["distill"],
        "last": ["judged"],
    }


PAIRS = {"name": "pairs", "measure": "Preferences", "dataset": {"uri": "workspace://pairs.jsonl"}}
QUIZ = {"name": "quiz", "measure": "MultipleChoice", "dataset": {"uri": "workspace://quiz.jsonl"}}


@pytest.mark.parametrize(
    ("evaluate", "needed"),
    [
        ({"tasks": [PAIRS], "models": [{"stage": "again"}]}, ["sft", "again"]),
        ({"tasks": [PAIRS], "models": [{"stage": "raw"}, {"base": True}]}, ["raw"]),
        ({"tasks": [QUIZ], "models": [{"stage": "again"}]}, ["again"]),
        # The model that it starts from is no model that it asks.
        ({"tasks": [PAIRS]}, ["sft"]),
    ],
    ids=["its reference", "a reference that is the job's own", "another measure", "of the model before"],
)
def test_preferences_need_the_model_that_a_training_started_from(evaluate: dict[str, Any], needed: list[str]) -> None:
    spec = resolved(stages=[*STAGES, {"name": "exam", "evaluate": evaluate}])
    assert [stage.name for stage in models_needed(spec, spec.stages[-1])] == needed
