"""Which outputs of jobs stand side by side, and why a stage has none."""

from typing import Any

import pytest
from alignment_api.spec.job import AlignmentJob
from alignment_dashboard.facts.outputs import (
    stage_of_several,
    stages_of_one,
    starting_stages,
    steps_to_choose,
    why_no_base,
    why_none,
)
from alignment_dashboard.facts.samples import Output
from alignment_dashboard.facts.stages import trained_stages

SFT, DPO = {"name": "sft", "sft": {}}, {"name": "dpo", "dpo": {}}
AGAIN = {**DPO, "model": {"base": True}}
HELD_OUT = {"name": "sft", "sft": {"holdout": {"fraction": 0.01}}}


def a_job(*stages: dict[str, Any], name: str = "a", model: str = "m", states: dict[str, str] | None = None) -> AlignmentJob:
    status = {"stages": [{"name": stage, "state": state} for stage, state in (states or {}).items()]}
    return AlignmentJob.parse(
        {
            "apiVersion": "alignment-operator.dev/v1alpha1",
            "kind": "AlignmentJob",
            "metadata": {"name": name, "uid": f"uid-{name}"},
            "spec": {"model": {"uri": f"workspace://{model}"}, "stages": list(stages or (SFT, DPO))},
            "status": status,
        }
    )


def at(*steps: int) -> list[dict[str, Any]]:
    return [{"step": step, "key": "k", "prompt": "p", "policy": str(step)} for step in steps]


def labels(outputs: list[Output]) -> list[str]:
    return [output.label for output in outputs]


@pytest.mark.parametrize(
    ("stages", "trained", "starting"),
    [((SFT, DPO), ["sft", "dpo"], ["sft"]), ((DPO,), ["dpo"], ["dpo"]), ((SFT, AGAIN), ["sft", "dpo"], ["sft", "dpo"])],
)
def test_stages_that_start_from_the_jobs_model(stages: Any, trained: list[str], starting: list[str]) -> None:
    job = a_job(*stages)
    assert (list(trained_stages(job)), starting_stages(job)) == (trained, starting)


def test_step_0_of_a_starting_stage_is_the_base_model() -> None:
    assert steps_to_choose(a_job(), "sft", at(0, 50, 100)) == [50, 100]
    assert steps_to_choose(a_job(), "dpo", at(0, 50)) == [0, 50]
    assert steps_to_choose(a_job(SFT, AGAIN), "dpo", at(0, 50)) == [50]


@pytest.mark.parametrize(
    ("rows", "steps", "shown"),
    [
        ({"sft": at(0, 50), "dpo": at(100)}, {"sft": 50, "dpo": 100}, ["base", "sft, step 50", "dpo, step 100"]),
        ({"sft": at(0), "dpo": []}, {}, ["base"]),
        ({"sft": at(50), "dpo": at(0)}, {"sft": 50, "dpo": 0}, ["sft, step 50", "dpo, step 0"]),
        ({}, {}, []),
    ],
)
def test_outputs_of_one_job(rows: Any, steps: dict[str, int], shown: list[str]) -> None:
    outputs = stages_of_one(a_job(), rows, steps)
    assert labels(outputs) == shown
    assert all(row["step"] == output.step for output in outputs for row in output.rows)


@pytest.mark.parametrize(
    ("model", "rows", "step", "shown"),
    [
        ("m", {"sft": at(0), "dpo": at(100, 200)}, 200, ["base", "a, step 200", "b, step 200"]),
        ("m", {"sft": at(0), "dpo": at(150)}, 150, ["base", "a, step 100", "b, step 150"]),
        ("m", {"sft": at(0), "dpo": at(150)}, 100, ["base", "a, step 100"]),
        ("n", {"sft": at(0), "dpo": at(100)}, 200, ["base of a", "a, step 200", "base of b", "b, step 100"]),
        ("n", {"sft": at(10), "dpo": at(100)}, 200, ["base of a", "a, step 200", "b, step 100"]),
    ],
)
def test_outputs_of_two_jobs(model: str, rows: Any, step: int, shown: list[str]) -> None:
    jobs = [a_job(), a_job(name="b", model=model)]
    assert labels(stage_of_several(jobs, [{"sft": at(0), "dpo": at(100, 200)}, rows], "dpo", step)) == shown


@pytest.mark.parametrize(
    ("job", "stage", "words"),
    [
        (a_job(), "dpo", "the job holds out no rows. Set holdout"),
        (a_job(HELD_OUT, DPO), "dpo", "has not started yet"),
        (a_job(HELD_OUT, DPO, states={"sft": "Queued"}), "sft", "has not started yet"),
        (a_job(HELD_OUT, DPO, states={"sft": "Running"}), "sft", "has not been asked yet"),
        (a_job(HELD_OUT, DPO, states={"sft": "Succeeded"}), "sft", "an older version ran it"),
        (a_job(HELD_OUT), "dpo", "a has no trained stage dpo."),
    ],
)
def test_a_sentence_says_why_a_stage_has_no_samples(job: AlignmentJob, stage: str, words: str) -> None:
    assert words in why_none(job, stage)


@pytest.mark.parametrize(
    ("rows", "words"), [({"sft": at(0)}, ""), ({"sft": []}, ""), ({"dpo": at(0)}, "was not asked at step 0")]
)
def test_a_sentence_says_why_the_base_model_is_missing(rows: Any, words: str) -> None:
    why = why_no_base(a_job(), rows) or ""
    assert words in why
    assert bool(words) == bool(why)
