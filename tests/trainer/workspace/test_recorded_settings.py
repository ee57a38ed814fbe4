"""What a stage has begun with, and what its next attempt is told."""

import json

import pytest
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.workspace.recorded_settings import with_recorded_settings
from alignment_trainer.workspace.stage_folder import claim


@pytest.fixture
def begun(tmp_path, trainer):
    """A stage that was begun, and how to tell its next attempt something else under the same hash."""
    first = trainer.config(tmp_path)
    claim(first)

    def told(**changes):
        return trainer.config(tmp_path, attempt=2, **changes).model_copy(update={"input_hash": first.input_hash})

    return first, told


def test_settings_and_model_stay_and_all_else_is_as_it_is_told(begun, capfd):
    first, told = begun
    second = told(
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


def test_what_was_begun_is_recorded_for_all_later_attempts(begun):
    first, told = begun
    claim(with_recorded_settings(told(sft__packing=False)))
    assert with_recorded_settings(told(sft__packing=False, sft__maxLength=64)).stage == first.stage


def test_the_batch_is_the_one_it_began_with_however_micro_batches_reach_it(begun):
    _, told = begun
    made = with_recorded_settings(told(sft__optimization__globalBatchSize=16, compute__microBatchSize=1))
    assert (made.stage.sft.optimization.global_batch_size, made.compute.micro_batch_size) == (8, 1)


def test_a_file_of_an_earlier_version_is_read(begun, tmp_path):
    _, told = begun
    path = tmp_path / "job" / "sft" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"accumulationSteps": 2}))
    assert with_recorded_settings(told(sft__packing=False)).stage == told().stage


def test_nothing_is_said_where_nothing_differs(begun, capfd):
    _, told = begun
    assert with_recorded_settings(told()) == told()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("file", ["run.json", "input.json"])
def test_a_folder_that_was_never_begun_holds_nothing_back(begun, tmp_path, file):
    _, told = begun
    (tmp_path / "job" / "sft" / file).unlink()
    assert with_recorded_settings(told(sft__packing=False)) == told(sft__packing=False)


def test_work_of_other_inputs_holds_nothing_back(begun, trainer, tmp_path):
    edited = trainer.config(tmp_path, sft__packing=False)
    assert with_recorded_settings(edited) == edited


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda record: {**record, "colour": "red"}, "colour: is not a field"),
        (lambda record: {**record, "version": "v2"}, "version"),
        (lambda record: "torn", "run.json"),
    ],
)
def test_a_record_that_this_version_cannot_read_is_named(begun, tmp_path, change, said):
    _, told = begun
    path = tmp_path / "job" / "sft" / "run.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(BadConfiguration) as error:
        with_recorded_settings(told())
    assert str(error.value).startswith(f"{path}: ") and said in str(error.value)
    assert "start the stage again" in str(error.value)
