"""The settings that a stage started with, against those of its next attempt."""

import json

import pytest
from alignment_api.spec.stages import Stage
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.workspace.recorded_settings import with_recorded_settings
from alignment_trainer.workspace.stage_folder import claim


@pytest.fixture
def begun(tmp_path, trainer):
    """A started stage, and a function for the config of its next attempt with other settings and the same hash."""
    first = trainer.config(tmp_path)
    claim(first)

    def edited_config(**changes):
        return trainer.config(tmp_path, attempt=2, **changes).model_copy(update={"input_hash": first.input_hash})

    return first, edited_config


def test_settings_and_model_are_kept_and_the_rest_comes_from_this_attempt(begun, capfd):
    first, edited_config = begun
    second = edited_config(
        sft__optimization__schedule="Constant",
        sft__checkpoint={"everySteps": 8, "keep": 7},
        model__chatTemplate="ChatML",
        compute__microBatchSize=2,
        dpo__beta=0.7,
    ).model_copy(update={"grace_seconds": 17})
    made = with_recorded_settings(second)
    assert made.stage == first.stage
    assert made.spec.model == first.spec.model
    assert (made.attempt, made.grace_seconds, made.compute.micro_batch_size) == (2, 17, 2)
    assert made.spec.stages[1].dpo.beta == 0.7
    (line,) = capfd.readouterr().err.splitlines()
    for change in ("sft.checkpoint.keep stays 2, not 7", "sft.optimization.schedule stays Cosine, not Constant"):
        assert f"spec.stages[0].{change}" in line
    assert "spec.model.chatTemplate stays" in line


def test_the_first_settings_are_kept_for_all_later_attempts(begun):
    first, edited_config = begun
    claim(with_recorded_settings(edited_config(sft__packing=False)))
    assert with_recorded_settings(edited_config(sft__packing=False, sft__maxLength=64)).stage == first.stage


def test_the_global_batch_is_kept_even_if_micro_batches_change(begun):
    _, edited_config = begun
    made = with_recorded_settings(edited_config(sft__optimization__globalBatchSize=16, compute__microBatchSize=1))
    assert (made.stage.sft.optimization.global_batch_size, made.compute.micro_batch_size) == (8, 1)


def test_a_file_of_an_earlier_version_is_read(begun, tmp_path):
    _, edited_config = begun
    path = tmp_path / "job" / "sft" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"accumulationSteps": 2}))
    assert with_recorded_settings(edited_config(sft__packing=False)).stage == edited_config().stage


def test_equal_settings_print_nothing(begun, capfd):
    _, edited_config = begun
    assert with_recorded_settings(edited_config()) == edited_config()
    assert capfd.readouterr().err == ""


def asking(config, **settings):
    """The same config with a stage that asks a teacher in place of its own."""
    teacher = {"baseUrl": "http://teacher:8000/v1", "model": "t"} | settings.pop("teacher", {})
    stage = Stage.parse({"name": config.stage_name, "distill": {"teachers": [teacher], **settings}})
    return config.model_copy(update={"spec": config.spec.model_copy(update={"stages": [stage]})})


def test_a_higher_budget_and_another_key_are_taken_over_and_what_shapes_answers_is_not(trainer, tmp_path, capfd):
    first = asking(trainer.config(tmp_path), budget={"requests": 10}, systemPrompt="Be brief.")
    claim(first)
    limits = {
        "budget": {"requests": 90},
        "teacher": {"concurrency": 4, "apiKeySecret": {"name": "new", "key": "api-key"}},
        "maximumFailedShare": 0.5,
    }
    second = asking(trainer.config(tmp_path, attempt=2), systemPrompt="Be brief.", **limits)
    assert with_recorded_settings(second) == second
    assert capfd.readouterr().err == ""
    edited = asking(trainer.config(tmp_path, attempt=2), systemPrompt="Be long.", **limits)
    assert with_recorded_settings(edited) == second
    assert "distill.systemPrompt stays Be brief., not Be long." in capfd.readouterr().err


@pytest.mark.parametrize("file", ["run.json", "input.json"])
def test_an_unclaimed_folder_keeps_no_settings(begun, tmp_path, file):
    _, edited_config = begun
    (tmp_path / "job" / "sft" / file).unlink()
    assert with_recorded_settings(edited_config(sft__packing=False)) == edited_config(sft__packing=False)


def test_the_work_of_other_inputs_keeps_no_settings(begun, trainer, tmp_path):
    edited = trainer.config(tmp_path, sft__packing=False)
    assert with_recorded_settings(edited) == edited


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda record: {**record, "colour": "red"}, "colour: is not a field"),
        (lambda record: {**record, "version": "v2"}, "version"),
        (lambda record: "torn", "run.json"),
    ],
)
def test_a_record_that_this_version_cannot_read_is_named(begun, tmp_path, change, problem):
    _, edited_config = begun
    path = tmp_path / "job" / "sft" / "run.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(BadConfiguration) as error:
        with_recorded_settings(edited_config())
    assert str(error.value).startswith(f"{path}: ") and problem in str(error.value)
    assert "start the stage again" in str(error.value)
