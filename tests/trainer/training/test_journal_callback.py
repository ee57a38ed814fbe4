"""Which of transformers' log entries the journal holds."""

from collections import Counter

import pytest
from alignment_api import metrics
from alignment_api.journal import read_points
from alignment_trainer.data.fates import COUNTS
from alignment_trainer.training.hardware import Work
from alignment_trainer.training.journal_callback import Track
from alignment_trainer.workspace.journal import Journal
from transformers import TrainerState

LOSS, EVALUATION = {"loss": 1.0}, {"eval_loss": 2.0}


@pytest.mark.parametrize(
    ("begins_at", "logged", "steps_of_progress"),
    [
        (0, [(0, EVALUATION), (1, LOSS), (2, LOSS), (2, EVALUATION)], [0, 1, 2]),
        (0, [(1, LOSS), (2, LOSS)], [0, 1, 2]),
        (2, [(3, LOSS), (4, LOSS), (4, EVALUATION)], [2, 3, 4]),
    ],
    ids=["evaluated at the start", "never evaluated", "resumed"],
)
def test_each_value_is_written_once_for_each_step(tmp_path, begins_at, logged, steps_of_progress):
    track = Track(Journal(tmp_path), {"rows": dict.fromkeys(COUNTS, 1)}, Work(1.0, None))
    track.on_train_begin(None, TrainerState(global_step=begins_at, max_steps=4), None)
    for step, logs in logged:
        state = TrainerState(global_step=step, max_steps=4)
        track.on_step_end(None, state, None)
        track.on_log(None, state, None, logs)
    points = list(read_points(tmp_path / "metrics.jsonl"))
    assert max(Counter((point.step, name) for point in points for name in point.metrics).values()) == 1
    assert [point.step for point in points if metrics.TOTAL_STEPS in point.metrics] == steps_of_progress
