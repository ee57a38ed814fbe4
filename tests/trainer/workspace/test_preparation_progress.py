import pytest
from alignment_api import metrics
from alignment_api.journal import read_points
from alignment_trainer.settings.training import training_settings
from alignment_trainer.workspace.journal import Journal, JournalTail
from alignment_trainer.workspace.preparation_progress import most_steps, with_progress


@pytest.fixture
def config(tmp_path, trainer):
    (tmp_path / "job" / "sft").mkdir(parents=True)
    return trainer.config(tmp_path)


def test_items_are_passed_on_and_progress_is_journaled(config, tmp_path):
    watched = with_progress("abc", 3, "preparing rows", "rows", config, training_settings(config), every_seconds=0)
    assert list(watched) == ["a", "b", "c"]
    journal = tmp_path / "job" / "sft" / "metrics.jsonl"
    total = {metrics.TOTAL_STEPS: 24.0}
    seen = [(point.step, point.metrics, point.progress) for point in read_points(journal)]
    assert seen == [(0, total, {}), (0, {}, total), (0, {}, total)]
    # Training knows the number of steps, and readers take it.
    Journal(journal.parent).append(0, {}, {metrics.TOTAL_STEPS: 20.0})
    assert [point.newest for point in read_points(journal)][-1] == {metrics.TOTAL_STEPS: 20.0}
    assert JournalTail(journal).read().progress().total_steps == 20


def test_short_work_is_not_journaled(config, tmp_path):
    assert list(with_progress(range(1000), 1000, "preparing rows", "rows", config, training_settings(config))) == list(
        range(1000)
    )
    assert not (tmp_path / "job" / "sft" / "metrics.jsonl").exists()


@pytest.mark.parametrize(
    ("optimization", "rows", "steps"),
    [
        ({"maxSteps": 7, "globalBatchSize": 8}, 1000, 7),
        ({"epochs": 1, "globalBatchSize": 8}, 80, 10),
        ({"epochs": 2, "globalBatchSize": 8}, 81, 21),
        ({"epochs": 1, "globalBatchSize": 8}, 0, 1),
    ],
)
def test_the_largest_possible_number_of_steps_is_reported(tmp_path, trainer, optimization, rows, steps):
    settings = training_settings(trainer.config(tmp_path, sft__optimization={"learningRate": 1e-3, **optimization}))
    assert most_steps(settings, rows) == steps
