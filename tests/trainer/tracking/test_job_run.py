"""Which settings the run of a whole job shows, and which jobs it may be of."""

import pytest
from alignment_api import metrics
from alignment_api.spec.stages import Stage
from alignment_trainer.tracking.job_run import agrees, job_parameters

LORA = {"dpo__adapter": {"lora": {"rank": 8}}}
ALL_ROWS = {"sft__datasets": [{"uri": "workspace://inputs/tiny/sft.jsonl"}]}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", "workspace://inputs/tiny/model"),
        ("seed", "42"),
        ("dpo.beta", "0.1"),
        ("dpo.loss", "Sigmoid"),
        ("dpo.learningRate", "0.0005"),
        ("dpo.maxSteps", "8"),
        ("dpo.globalBatchSize", "8"),
        ("dpo.maxLength", "128"),
        ("dpo.precision", "Float32"),
        ("dpo.sharding", "None"),
        ("dpo.lora.rank", "8"),
        ("sft.datasets", "workspace://inputs/tiny/sft.jsonl"),
        # They differ among jobs by accident.
        ("stages", None),
        ("dpo.sharedMemory", None),
    ],
)
def test_the_settings_of_all_stages_are_shown_from_the_first_stage_on(tmp_path, trainer, name, value):
    assert job_parameters(trainer.config(tmp_path, "sft", **LORA, **ALL_ROWS)).get(name) == value


@pytest.mark.parametrize(
    ("stage", "changes", "expected"),
    [
        ("sft", {}, True),
        ("dpo", {}, True),
        ("dpo", {"dpo__beta": 0.2}, False),
        ("sft", {"dpo__beta": 0.2}, False),
        ("sft", {"sft__datasets": [{"uri": "workspace://inputs/other.jsonl"}]}, False),
        ("dpo", {"model__uri": "workspace://inputs/other"}, False),
        ("dpo", {"model__chatTemplate": "ChatML"}, False),
        # Where a stage runs says nothing about what it learns.
        ("dpo", {"compute__sharding": "ZeRO2", "compute__microBatchSize": 1}, True),
        # A stage that has not begun gets settings, or loses some.
        ("sft", LORA, True),
        ("sft", {"dpo__optimization": {"learningRate": 5e-4, "epochs": 1, "globalBatchSize": 8}}, False),
    ],
)
def test_a_run_that_has_begun_with_sft_may_be_of_a_job(tmp_path, trainer, stage, changes, expected):
    begun = trainer.config(tmp_path, "sft")
    tags = {metrics.input_hash_tag("sft"): begun.input_hash}
    assert agrees(job_parameters(begun), tags, trainer.config(tmp_path, stage, **changes)) is expected


def asking(config, **settings):
    """The same config with a stage before the others that asks a teacher."""
    stage = Stage.parse({"name": "distill", "distill": {"teachers": [{**TEACHER, **settings.pop("teacher", {})}], **settings}})
    spec = config.spec.model_copy(update={"stages": [stage, *config.spec.stages]})
    return config.model_copy(update={"spec": spec})


TEACHER = {"baseUrl": "http://teacher:8000/v1", "model": "t"}
LIMITED = {
    "budget": {"cost": 5},
    "teacher": {"concurrency": 3, "price": {"promptPerMillionTokens": 1, "answerPerMillionTokens": 2}},
}


def test_teachers_are_compared_and_what_limits_them_is_not(tmp_path, trainer):
    config = trainer.config(tmp_path, "sft")
    shown = {name: value for name, value in job_parameters(asking(config, **LIMITED)).items() if name.startswith("distill.")}
    assert shown == {"distill.teachers": "t at http://teacher:8000/v1"}


@pytest.mark.parametrize(
    ("settings", "expected"), [({}, True), (LIMITED, True), ({"teacher": {"model": "u"}}, False), ({"method": "Answers"}, True)]
)
def test_a_run_may_be_of_a_job_with_other_limits_but_not_of_one_with_another_teacher(tmp_path, trainer, settings, expected):
    config = trainer.config(tmp_path, "sft")
    assert agrees(job_parameters(asking(config)), {}, asking(config, **settings)) is expected


@pytest.mark.parametrize(
    ("known", "tags", "expected"),
    [
        ({}, {}, True),
        ({"gone.beta": "1"}, {}, True),
        ({"dpo.beta": "1"}, {}, False),
        ({}, {metrics.input_hash_tag("sft"): "another"}, False),
        ({}, {metrics.input_hash_tag("dpo"): "another"}, True),
    ],
)
def test_what_a_run_knows(tmp_path, trainer, known, tags, expected):
    assert agrees(known, tags, trainer.config(tmp_path, "sft")) is expected
