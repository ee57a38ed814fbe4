"""The parameters of jobs, as flat names, and which differ."""

import json
from typing import Any

import pytest
from alignment_api.resolving.recipes import resolve
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import AlignmentJobStatus, Record
from alignment_dashboard.facts.configuration import parameters, varying

SFT = {"datasets": [{"uri": "workspace://chats.jsonl"}], "maxLength": 512}
DPO = {"datasets": [{"uri": "hf://team/pairs", "split": "train"}], "beta": 0.1, "maxLength": 1024}
FAST = {"optimization": {"learningRate": 5e-07, "globalBatchSize": 32}}


def job(name: str = "one", stages: list[Any] | None = None, **spec: Any) -> AlignmentJob:
    """Make a job without a status."""
    named = [{"name": "sft", "sft": SFT}, {"name": "dpo", "dpo": DPO | FAST}] if stages is None else stages
    return AlignmentJob.parse_stored(
        {
            "apiVersion": "alignment-operator.dev/v1alpha1",
            "kind": "AlignmentJob",
            "metadata": {"name": name, "uid": f"uid-{name}"},
            "spec": {"model": {"uri": "hf://team/model"}, "stages": named} | spec,
        }
    )


def dpo(name: str = "one", **settings: Any) -> AlignmentJob:
    """Make a job of one DPO stage whose optimizer has these settings."""
    return job(name, [{"name": "dpo", "dpo": DPO | {"optimization": FAST["optimization"] | settings}}])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", "team/model"),
        ("chatTemplate", "Model"),
        ("seed", 42),
        ("stages", "sft → dpo"),
        ("dpo.learningRate", 5e-07),
        ("dpo.globalBatchSize", 32),
        ("dpo.beta", 0.1),
        ("dpo.loss", "Sigmoid"),
        ("dpo.warmup.fraction", 0.1),
        ("dpo.datasets", "team/pairs (train)"),
        ("dpo.nodes", 1),
        ("dpo.gradientCheckpointing", True),
        ("sft.datasets", "workspace://chats.jsonl"),
        ("sft.packing", True),
        ("sft.maxLength", 512),
        ("sft.evaluation.everySteps", 100),
    ],
)
def test_the_name_and_the_value_of_a_parameter(name: str, value: object) -> None:
    found = parameters(job())[name]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("dataset", "written"),
    [
        ({"uri": "s3://bucket/rows.jsonl"}, "s3://bucket/rows.jsonl"),
        ({"stage": "feedback"}, "stage feedback"),
        ({"uri": "hf://a/b", "configuration": "en", "split": "test", "fraction": 0.5}, "a/b (en, test, fraction 0.5)"),
        ({"uri": "hf://a/b", "columns": {"chosen": "yes", "rejected": "no"}}, "a/b (columns chosen yes rejected no)"),
    ],
)
def test_a_dataset_is_one_text(dataset: dict[str, Any], written: str) -> None:
    stages = [{"name": "feedback", "feedback": {}}, {"name": "dpo", "dpo": DPO | {"datasets": [dataset, dataset]}}]
    assert parameters(job(stages=stages))["dpo.datasets"] in (f"{written} + {written}", f"{written}, {written}")


def test_an_endpoint_is_one_text_without_its_secret() -> None:
    teacher = {"baseUrl": "http://teacher/v1", "model": "large", "apiKeySecret": {"name": "key", "key": "token"}}
    assert parameters(job(stages=[{"name": "distill", "distill": {"teachers": [teacher]}}]))["distill.teachers"] == (
        "large at http://teacher/v1"
    )


def test_an_adapter_is_named_without_the_word_adapter() -> None:
    assert parameters(job(stages=[{"name": "dpo", "dpo": DPO | {"adapter": {"lora": {"rank": 8}}}}]))["dpo.lora.rank"] == 8


def test_the_compute_of_a_job_is_that_of_each_stage_which_sets_no_own() -> None:
    stages = [{"name": "sft", "sft": SFT}, {"name": "dpo", "dpo": DPO, "compute": {"nodes": 2}}]
    found = parameters(job(stages=stages, compute={"nodes": 4}))
    assert (found["sft.nodes"], found["dpo.nodes"]) == (4, 2)


def test_seeds_that_differ_among_stages_are_one_text() -> None:
    stages = [{"name": "sft", "sft": SFT}, {"name": "dpo", "dpo": DPO | {"optimization": {"seed": 7}}}]
    assert parameters(job(stages=stages))["seed"] == "sft 42, dpo 7"


@pytest.mark.parametrize("spec", [{"storage": {"size": "1Ti"}}, {"tracking": {"experiment": "mine"}}, {"queueName": "night"}])
def test_files_tracking_and_queue_are_no_parameters(spec: dict[str, Any]) -> None:
    assert parameters(job(**spec)) == parameters(job())


def test_the_recorded_spec_wins_over_the_spec_as_it_is_now() -> None:
    # A newer version may resolve the same spec to other values; the job runs what was recorded.
    resolved = resolve(dpo().spec).spec.dump()
    resolved["stages"][0]["dpo"]["beta"] = 0.7
    record = Record(written=json.dumps(dpo().spec.dump()), resolved=json.dumps(resolved))
    assert parameters(dpo().model_copy(update={"status": AlignmentJobStatus(record=record)}))["dpo.beta"] == 0.7


@pytest.mark.parametrize(
    "resolved",
    [
        *("{", "null", "[]", "3", '"text"', '{"stages": null}', '{"stages": "sft"}', '{"recipe": ["fast"]}'),
        *('{"stages": [{"sft": {}}]}', '{"stages": [{"name": "sft", "sft": null}]}', '{"stages": [null]}'),
    ],
)
def test_a_record_that_is_no_spec_is_left_aside(resolved: str) -> None:
    broken = dpo().model_copy(update={"status": AlignmentJobStatus(record=Record(written="{", resolved=resolved))})
    assert parameters(broken) == parameters(dpo())


def test_a_recipe_of_another_version_leaves_what_the_spec_says() -> None:
    found = parameters(job(recipe="of-another-version"))
    assert found["dpo.beta"] == 0.1 and "dpo.loss" not in found


@pytest.mark.parametrize(
    ("jobs", "names"),
    [
        ([dpo(), dpo("two")], []),
        ([dpo()], []),
        ([dpo(seed=1, learningRate=1e-6), dpo(seed=2, learningRate=5e-7)], ["dpo.learningRate", "seed"]),
        ([dpo(weightDecay=0.1, epochs=1), dpo(epochs=2)], ["dpo.epochs", "dpo.weightDecay"]),
        # A stage that one of the jobs lacks does not make every parameter of that stage a difference.
        ([job(stages=[{"name": "sft", "sft": SFT}]), job()], ["stages"]),
        ([dpo(), dpo(maxSteps=10)], ["dpo.maxSteps"]),
        (
            [dpo(), job(stages=[{"name": "dpo", "dpo": DPO | FAST | {"beta": 0.5}}], model={"uri": "hf://team/other"})],
            ["dpo.beta", "model"],
        ),
    ],
)
def test_which_parameters_vary(jobs: list[AlignmentJob], names: list[str]) -> None:
    assert varying(jobs) == names


def test_values_come_as_json_writes_them() -> None:
    assert json.loads(json.dumps(parameters(job()))) == parameters(job())
