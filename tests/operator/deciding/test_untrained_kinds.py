"""A stage of a kind that trains nothing, before and behind a training stage: planned, hashed and given its own output folder."""

from typing import Any, cast

import pytest
from alignment_api.memory.stages import memory_problems
from alignment_api.names import MODEL_FOLDER
from alignment_api.resolving.record import settle
from alignment_api.resolving.validation import resolve_job
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.kinds import KINDS, Kind, Leaves
from alignment_operator.deciding.observation import Child, Report
from alignment_operator.deciding.plan import Plan, plan
from builders import NOW, PLAN_SETTINGS, a_child, a_job, a_run, a_training, later

SFT = {"name": "sft", "sft": a_training()}
MADE_UP = {"name": "other", "evaluate": {"tasks": [{"name": "gsm8k", "benchmark": "gsm8k"}]}}
"""A stage of kind `evaluate`, of which each test makes the kind that it needs."""


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(leaves: str = "Report") -> None:
        monkeypatch.setitem(KINDS, "evaluate", Kind(cast(Leaves, leaves), (), runs=True))

    return make


def planned(job: AlignmentJob, children: list[Child]) -> Plan:
    return plan(job, settle(job), children, Report(asked_since={"sft": NOW, "other": NOW}), PLAN_SETTINGS, later(60))


def states(decided: Plan) -> dict[str, str]:
    return {stage.name: stage.state for stage in decided.status.stages or []}


PLANS: list[tuple[str, list[dict[str, Any]], dict[str, str], dict[str, str], list[str], str]] = [
    # the stages, what is observed, the states and the children that follow, and the job's progress
    ("before sft, nothing yet", [MADE_UP, SFT], {}, {"other": "Pending", "sft": "Waiting"}, ["job-other-1"], "0%"),
    (
        "before sft, finished",
        [MADE_UP, SFT],
        {"other": "Succeeded"},
        {"other": "Succeeded", "sft": "Pending"},
        ["job-other-1", "job-sft-1"],
        "50%",
    ),
    ("behind sft, nothing yet", [SFT, MADE_UP], {}, {"sft": "Pending", "other": "Waiting"}, ["job-sft-1"], "0%"),
    (
        "behind sft, running",
        [SFT, MADE_UP],
        {"sft": "Succeeded", "other": "Running"},
        {"sft": "Succeeded", "other": "Running"},
        ["job-sft-1", "job-other-1"],
        "50%",
    ),
    (
        "behind sft, finished",
        [SFT, MADE_UP],
        {"sft": "Succeeded", "other": "Succeeded"},
        {"sft": "Succeeded", "other": "Succeeded"},
        ["job-sft-1", "job-other-1"],
        "100%",
    ),
]


@pytest.mark.parametrize(
    ("stages", "observed", "expected", "children", "progress"), [row[1:] for row in PLANS], ids=[row[0] for row in PLANS]
)
def test_it_is_planned_like_any_stage(
    stages: list[dict[str, Any]],
    observed: dict[str, str],
    expected: dict[str, str],
    children: list[str],
    progress: str,
    made_up: Any,
) -> None:
    made_up()
    job = a_job(stages=stages)
    decided = planned(job, [a_child(job, name, state) for name, state in observed.items()])
    assert states(decided) == expected
    assert [run.name for run in decided.children] == children
    assert decided.status.progress == progress


@pytest.mark.parametrize(("leaves", "folder"), [("Model", "/model"), ("Rows", "/rows"), ("Report", ""), ("Export", "/model")])
@pytest.mark.parametrize("stages", [[MADE_UP, SFT], [SFT, MADE_UP]], ids=["before sft", "behind sft"])
def test_its_output_follows_from_what_it_leaves(leaves: str, folder: str, stages: list[dict[str, Any]], made_up: Any) -> None:
    made_up(leaves)
    job = a_job(stages=stages)
    decided = planned(job, [a_child(job, stage["name"], "Succeeded") for stage in stages])
    outputs = {stage.name: stage.output for stage in decided.status.stages or []}
    assert outputs["other"] == f"workspace://team/job-abcdef12/other{folder}"
    assert outputs["sft"] == "workspace://team/job-abcdef12/sft/model"


@pytest.mark.parametrize("stages", [[MADE_UP, SFT], [SFT, MADE_UP]], ids=["before sft", "behind sft"])
def test_it_changes_neither_the_model_nor_the_hash_of_sft(stages: list[dict[str, Any]], made_up: Any) -> None:
    made_up()
    job, alone = a_job(stages=stages), a_job(stages=[SFT])
    assert a_run(job, "sft").run_config(PLAN_SETTINGS).paths.parent_model is None
    assert a_run(job, "sft").input_hash == a_run(alone, "sft").input_hash


A100 = {"nodes": 1, "gpusPerNode": 8, "acceleratorType": "NVIDIA-A100-SXM4-80GB", "sharding": "None"}


@pytest.mark.parametrize("stages", [[MADE_UP, SFT], [SFT, MADE_UP]], ids=["before sft", "behind sft"])
def test_its_memory_is_not_estimated_as_if_it_trained(stages: list[dict[str, Any]], made_up: Any) -> None:
    made_up()
    job = a_job(stages=stages, model={"uri": "hf://mistralai/Mistral-7B-v0.1"}, compute=A100)
    problems = memory_problems(job, resolve_job(job).spec)
    assert [problem.path for problem in problems] == [f"spec.stages[{stages.index(SFT)}].compute"]


def test_behind_sft_it_starts_from_the_model_of_sft_and_runs_again_when_sft_does(made_up: Any) -> None:
    made_up()
    job = a_job(stages=[SFT, MADE_UP])
    changed = a_job(stages=[{"name": "sft", "sft": a_training(maxLength=32)}, MADE_UP])
    parent = a_run(job, "other").run_config(PLAN_SETTINGS).paths.parent_model
    assert parent is not None and parent.endswith(f"/sft/{MODEL_FOLDER}")
    assert a_run(job, "other").input_hash != a_run(changed, "other").input_hash
