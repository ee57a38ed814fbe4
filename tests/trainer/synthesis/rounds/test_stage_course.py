"""How the points of a round come into the stage's journal."""

import json

from alignment_api import metrics
from alignment_trainer.synthesis.rounds.stage_course import StageCourse
from alignment_trainer.workspace.journal import Journal, latest_values
from alignment_trainer.workspace.samples import Sample, Samples, read_samples


def points(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def a_round(stage, number, first_step, rounds_left, steps):
    folder = stage / "rounds" / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    course = StageCourse(stage, folder, first_step, rounds_left)
    course.on_train_begin(None, None, None)
    journal = Journal(folder)
    for step in steps:
        journal.append(step, {metrics.LOSS: 1.0}, {metrics.TOTAL_STEPS: 4.0, metrics.SECONDS_LEFT: 10.0 * (4 - step)})
        course.on_log(None, None, None)
    return course


def test_steps_go_on_and_the_rounds_to_come_count_as_long_as_this_one(tmp_path):
    a_round(tmp_path, 1, 0, 2, [1, 2]).end()
    assert points(tmp_path)[-1]["metrics"] == {metrics.LOSS: 1.0, metrics.TOTAL_STEPS: 12.0, metrics.SECONDS_LEFT: 100.0}
    a_round(tmp_path, 1, 0, 2, [3, 4]).end()
    a_round(tmp_path, 2, 4, 1, [1, 2, 3, 4]).end()
    known = [point["step"] for point in points(tmp_path) if metrics.LOSS in point["metrics"]]
    assert known == [1, 2, 3, 4, 5, 6, 7, 8]
    assert points(tmp_path)[-1]["metrics"][metrics.TOTAL_STEPS] == 12.0


def test_steps_that_are_trained_again_are_progress_but_no_new_values(tmp_path):
    a_round(tmp_path, 1, 0, 0, [1, 2])
    a_round(tmp_path, 1, 0, 0, [2, 3])
    assert [point["step"] for point in points(tmp_path) if metrics.LOSS in point["metrics"]] == [1, 2, 3]


def test_what_an_attempt_could_not_carry_over_comes_with_the_next(tmp_path):
    folder = tmp_path / "rounds/1"
    folder.mkdir(parents=True)
    Journal(folder).append(1, {metrics.LOSS: 2.0}, {})
    course = a_round(tmp_path, 1, 10, 0, [])
    course.note({metrics.ROUND: 1.0})
    assert latest_values(tmp_path / "metrics.jsonl") == {metrics.LOSS: 2.0, metrics.ROUND: 1.0}
    assert {point["step"] for point in points(tmp_path)} == {11, 10}


def test_samples_have_the_steps_of_the_stage(tmp_path):
    folder = tmp_path / "rounds/2"
    folder.mkdir(parents=True)
    Samples(folder).append([Sample(step=3, key=key, prompt="?", policy="!") for key in ("a", "b")])
    with (folder / "samples.jsonl").open("a") as file:
        file.write(Sample(step=5, key="a", prompt="?", policy="!", step_rows=2).model_dump_json() + "\n")
    a_round(tmp_path, 2, 7, 0, []).end()
    assert [(sample.step, sample.key) for sample in read_samples(tmp_path / "samples.jsonl")] == [(10, "a"), (10, "b")]


def test_the_last_step_is_shown_before_the_judge_is_asked(tmp_path):
    course = a_round(tmp_path, 1, 0, 1, [1])
    Journal(tmp_path / "rounds/1").append(2, {metrics.LOSS: 1.0}, {})
    course.on_train_end(None, None, None)
    assert points(tmp_path)[-1]["step"] == 2
