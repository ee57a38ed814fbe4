"""A feedback stage as a whole: its rows, its report, and that nothing is paid twice."""

import json
import os
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
from alignment_api.run_config import RunConfig
from alignment_trainer.checks import preflight
from alignment_trainer.failures import BadData
from alignment_trainer.forms.rows import read_pair
from alignment_trainer.stages import feedback
from ensembles import NAMES, Models, speaks_for
from faulty_server import a_faulty_server


def rated(text, *ratings, model="small", is_list=False, **others):
    names = ("instruction_following", "truthfulness", "honesty", "helpfulness")
    annotations = {name: {"Rating": rating, "Rationale": "Of 10, 1."} for name, rating in zip(names, ratings, strict=True)}
    if is_list:
        annotations = {name: [annotation] for name, annotation in annotations.items()}
    return {"model": model, "response": text, "annotations": annotations, **others}


GOOD, BAD = ("5", "4", "4", "5"), ("1", "2", "1", "2")
JUDGED = [
    {"instruction": "A pig says?", "completions": [rated("Moo.", *BAD, model="cow"), rated("Oink.", *GOOD, model="pig")]},
    {
        "instruction": "A cow says?",
        "completions": [rated("Moo.", *GOOD, is_list=True), rated("Oink.", "1", "N/A", "1", "1"), rated("Wuff.", *BAD)],
    },
    {"instruction": "A dog says?", "completions": [rated("Wuff.", *GOOD), rated("Wau.", *GOOD)]},
    {"instruction": "A cat says?", "completions": [rated("Miau.", *GOOD)]},
    # The known fault of these rows: a rating of 1 became an overall score of 10.
    {
        "instruction": "A fox says?",
        "completions": [rated("?", *BAD, overall_score=10.0), rated("Yip.", *GOOD, overall_score=8.0)],
    },
]


@pytest.fixture
def judged(paired, tmp_path):
    """Return a stage that pairs these rows."""

    def config(**feedback):
        (tmp_path / "judged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in JUDGED))
        return paired(tmp_path, judged=[{"uri": "workspace://judged.jsonl"}], **feedback)

    return config


@pytest.fixture
def rows(lines):
    return lambda config: lines(Path(config.paths.stage) / "rows/part-00000.jsonl")


def manifest(config: RunConfig):
    return json.loads((Path(config.paths.stage) / "manifest.json").read_text())


def texts(row):
    return tuple(row[name][-1]["content"] for name in ("prompt", "chosen", "rejected"))


def test_judged_rows_are_paired_without_asking_anyone(judged, rows):
    config = judged()
    preflight.check(config)
    feedback.run(config)
    assert [texts(row) for row in rows(config)] == [
        ("A pig says?", "Oink.", "Moo."),
        ("A cow says?", "Moo.", "Wuff."),
        ("A fox says?", "Yip.", "?"),
    ]
    about = rows(config)[0]["provenance"]
    assert (about["chosen"]["model"], about["chosen"]["score"], about["rejected"]["model"]) == ("pig", 4.5, "cow")
    found = manifest(config)
    assert found["leftOut"] == {"tie": 1, "few_answers": 1}
    assert found["asked"]["requests"] == 0
    assert found["feedback"]["judge"]["missingScores"] == {"NotApplicable": 1}
    assert found["feedback"]["models"]["pig"] == {
        "judgedAnswers": 1,
        "means": {"InstructionFollowing": 5, "Truthfulness": 4, "Honesty": 4, "Helpfulness": 5},
        "scored": {"InstructionFollowing": 1, "Truthfulness": 1, "Honesty": 1, "Helpfulness": 1},
        "chosen": 1,
        "rejected": 0,
    }


def test_an_order_by_the_overall_score_of_ultrafeedback_is_refused_before_the_stage(judged):
    with pytest.raises(BadData, match=r"judged.jsonl:1: has no annotations.overall, .* set score to MeanOfAspects"):
        preflight.check(judged(score="Overall"))


def test_rows_of_another_form_are_refused_before_the_stage(judged, tmp_path):
    config = judged()
    (tmp_path / "judged.jsonl").write_text(json.dumps({"prompt": "Why?", "chosen": "So.", "rejected": "No."}) + "\n")
    with pytest.raises(
        BadData, match=r"judged.jsonl:1: has no instruction and completions, .* \(spec.stages\[0\].feedback.judged"
    ):
        preflight.check(config)


def test_an_ensemble_is_judged_and_paired(paired, tmp_path, rows, trainer):
    with a_faulty_server() as server:
        server.otherwise = speaks_for(Models())
        config = paired(tmp_path, server.url, rejected="Worst")
        preflight.check(config)
        feedback.run(config)
        asked = Counter(body["model"] for body in server.bodies)
    assert asked == {**dict.fromkeys(NAMES, 6), "judge": 6 * 4}
    found = rows(config)
    assert [texts(row)[0] for row in found] == [f"What is {number} + {number}?" for number in range(6)]
    assert {(texts(row)[1].split()[0], texts(row)[2].split()[0]) for row in found} == {("best", "poor")}
    assert {read_pair(row).form for row in found} == {"prompt and two answers"}
    models = manifest(config)["feedback"]["models"]
    assert {name: (model["chosen"], model["rejected"]) for name, model in models.items()} == {
        "best": (6, 0),
        "good": (0, 0),
        "fair": (0, 0),
        "poor": (0, 6),
    }
    stage = Path(config.paths.stage)
    assert trainer.values(stage, "judged/scores/poor/Honesty") == {6: 2}
    assert trainer.values(stage, "rows/written")[6] == 6


@pytest.mark.parametrize("score", ["MeanOfAspects", "Overall"])
def test_what_was_judged_can_be_paired_in_another_way_without_asking(score, paired, tmp_path, rows):
    with a_faulty_server() as server:
        server.otherwise = speaks_for(Models())
        first = paired(tmp_path, server.url, rejected="Worst", score=score)
        feedback.run(first)
    kept = tmp_path / "kept.jsonl"
    (Path(first.paths.stage) / "judged.jsonl").rename(kept)
    again = paired(tmp_path, judged=[{"uri": "workspace://kept.jsonl"}], rejected="Second", score=score)
    again = again.model_copy(update={"paths": again.paths.model_copy(update={"stage": str(tmp_path / "job/again")})})
    Path(again.paths.stage).mkdir()
    preflight.check(again)
    feedback.run(again)
    assert {texts(row)[:2] for row in rows(again)} == {texts(row)[:2] for row in rows(first)}
    assert {texts(row)[2].split()[0] for row in rows(again)} == {"good"}


def test_a_judge_that_looks_at_the_place_is_a_warning_of_the_stage(paired, tmp_path):
    with a_faulty_server() as server:
        server.otherwise = speaks_for(Models(lambda shown: [5, 3, 3, 3]))
        config = paired(tmp_path, server.url, questions=30)
        feedback.run(config)
    warnings = json.loads((Path(config.paths.stage) / "warnings.json").read_text())
    assert [sentence for sentence in warnings if "the judge looks at the place of an answer" in sentence]
    assert manifest(config)["warnings"] == warnings


def test_a_killed_stage_pays_nothing_twice(paired, tmp_path, rows, trainer):
    """Its process is killed while it asks: only what was on its way is asked again, and counted as possibly paid."""
    with a_faulty_server() as server:
        speak, delay = speaks_for(Models()), 0.01

        def slow(handler):
            time.sleep(delay)
            speak(handler)

        server.otherwise = slow
        config = paired(tmp_path, server.url, questions=40)
        attempt = trainer.attempt(config, tmp_path)
        attempt.wait_until(lambda: len(questions(server)) > 60)
        for process in attempt.processes()["rank"]:
            os.kill(process, signal.SIGKILL)
        assert attempt.wait().code != 0
        assert max(questions(server).values()) == 1
        delay = 0
        result = trainer.attempt(config.model_copy(update={"attempt": 2}), tmp_path).wait()
        assert result.code == 0, result.output
        repeated = sum(count - 1 for count in questions(server).values())
    assert repeated <= manifest(config)["asked"]["possibly_paid"] <= 5 * 8
    assert len(rows(config)) == 40


def questions(server):
    """Count what has arrived, without the questions for one token that only see whether a server answers."""
    return Counter(json.dumps(body, sort_keys=True) for body in server.bodies.copy() if body["max_tokens"] > 1)


def test_a_later_dpo_learns_from_the_pairs(paired, later, workspace, tmp_path, trainer):
    """The model prefers the answers that the judge preferred, after a few steps."""
    shutil.copytree(workspace / "inputs", tmp_path / "inputs")
    optimization = {"learningRate": 5e-3, "maxSteps": 6, "globalBatchSize": 8, "warmup": {"steps": 0}}
    dpo = {"datasets": [{"stage": "opinions"}], "maxLength": 128, "precision": "Float32", "optimization": optimization}
    spec = {
        "model": {"uri": "workspace://inputs/tiny/model"},
        "compute": {"gpusPerNode": 0, "processesPerNode": 1, "microBatchSize": 4, "gradientCheckpointing": False},
    }
    with a_faulty_server() as server:
        server.otherwise = speaks_for(Models())
        config = paired(tmp_path, server.url, questions=16, then=[{"name": "dpo", "dpo": dpo}], spec=spec)
        result = trainer.attempt(config, tmp_path).wait()
    assert result.code == 0, result.output
    trained = trainer.train(later(config, "dpo"), tmp_path)
    assert trained.code == 0, trained.output
    accuracies = trainer.values(tmp_path / "job/dpo", "train/rewards/accuracies")
    assert accuracies[6] == 1
