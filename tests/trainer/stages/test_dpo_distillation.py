"""A student that learns from its teacher in rounds, with forked ranks, a small real model, and a real server as its teacher."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alignment_api import metrics
from alignment_api.resolving.recipes import resolve
from alignment_api.run_config import RunConfig
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.lineage import input_hash
from alignment_trainer.model_folder.weights import weights_digest
from alignment_trainer.workspace.journal import JournalTail
from classroom import Classroom, a_classroom
from datasets import Dataset
from transformers import AutoTokenizer

QUESTIONS = 20


def rows_of(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def root(finished: Path, tmp_path: Path) -> Path:
    """A workspace in which the student was fine-tuned, with questions and the answers of the tiny example."""
    shutil.copytree(finished / "inputs", tmp_path / "inputs")
    shutil.copytree(finished / "job" / "sft", tmp_path / "job" / "sft")
    return tmp_path


@pytest.fixture
def classroom(root: Path) -> Iterator[Classroom]:
    known = {row["messages"][0]["content"]: row["messages"][1]["content"] for row in rows_of(root / "inputs/tiny/sft.jsonl")}
    # A very short question is no echo.
    questions = sorted(question for question in known if len(question) > 16)
    for name, part in (("questions", questions[:QUESTIONS]), ("exam", questions[QUESTIONS : QUESTIONS + 8])):
        (root / f"inputs/{name}.jsonl").write_text("".join(json.dumps({"prompt": question}) + "\n" for question in part))
    with a_classroom(known) as server:
        yield server


Configure = Callable[..., RunConfig]


@pytest.fixture
def config(root: Path, classroom: Classroom, trainer: Any) -> Configure:
    """Return a function that returns the stage's config, with changes of its settings."""

    def configured(attempt: int = 1, compute: dict[str, Any] | None = None, **changes: Any) -> RunConfig:
        optimization = {"learningRate": 5e-4, "warmup": {"steps": 0}, "maxSteps": 3, "globalBatchSize": 8}
        settings = {
            "teacher": classroom.endpoint("teacher"),
            "prompts": [{"uri": "workspace://inputs/questions.jsonl"}],
            "optimization": optimization,
            "maxLength": 128,
            "precision": "Float32",
            "cutAnswers": "Keep",
            "studentSampling": {"maximumTokens": 24},
            "checkpoint": {"everySteps": 2},
            **changes,
        }
        given = {"gpusPerNode": 0, "processesPerNode": 1, "microBatchSize": 4, "gradientCheckpointing": False}
        before = trainer.config(root, "sft")
        document = {
            "model": {"uri": "workspace://inputs/tiny/model"},
            "compute": {**given, **(compute or {})},
            "stages": [before.stage.dump(), {"name": "kd", "dpoDistillation": settings}],
            "storage": {"claimName": "workspace"},
        }
        job = {"apiVersion": "alignment-operator.dev/v1alpha1", "kind": "AlignmentJob", "metadata": {"name": "tiny"}}
        spec = resolve(AlignmentJob.parse({**job, "spec": document}).spec).spec
        stage = (spec.stages or [])[1]
        paths = {"stage": str(root / "job/kd"), "parent_model": str(root / "job/sft/model")}
        return before.model_copy(
            update={
                "attempt": attempt,
                "stage_name": "kd",
                "spec": spec,
                "input_hash": input_hash(spec, stage),
                "compute": spec.compute_of(stage),
                "world_size": (compute or {}).get("processesPerNode", 1),
                "paths": before.paths.model_copy(update=paths),
            }
        )

    return configured


def manifest(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((root / "job/kd/manifest.json").read_text())
    return found


def test_offline_one_round_makes_a_model_of_pairs(root: Path, classroom: Classroom, config: Configure, trainer: Any) -> None:
    result = trainer.train(config(holdout={"examples": 4}), root)
    assert result.code == 0, result.output
    stage = root / "job/kd"
    (made,) = manifest(root)["rounds"]
    assert made["sampledWeights"] == weights_digest(root / "job/sft/model")
    assert made["madeWeights"] == weights_digest(stage / "model") != made["sampledWeights"]
    pairs = rows_of(stage / "rounds/1/pairs.jsonl")
    assert len(pairs) == made["pairs"] > 5
    assert len(rows_of(stage / "held-out.jsonl")) > 0
    for pair in pairs:
        assert pair["chosen"][0]["content"] == classroom.answers[pair["prompt"][-1]["content"]]
    assert trainer.values(stage, metrics.REWARD_MARGIN)[1] == pytest.approx(0, abs=1e-6)
    assert set(trainer.values(stage, metrics.LOSS)) == {1, 2, 3}
    assert trainer.values(stage, metrics.ROWS_WRITTEN) == {0: len(pairs)}
    asked = classroom.asked_of("teacher")
    assert len(asked) == len(set(asked)) == QUESTIONS
    assert (stage / "DONE").read_text() == config(holdout={"examples": 4}).input_hash


def online(**more: Any) -> dict[str, Any]:
    return {"mode": "Online", "rounds": 3, **more}


def judged(classroom: Classroom, **more: Any) -> dict[str, Any]:
    questions = [{"uri": "workspace://inputs/exam.jsonl"}]
    return {"roundJudge": {"endpoint": classroom.endpoint("judge"), "questions": questions}, **more}


@pytest.mark.parametrize("reference", ["RoundStart", "StageStart"])
def test_each_round_samples_and_starts_from_what_the_round_before_made(
    root: Path, classroom: Classroom, config: Configure, trainer: Any, reference: str
) -> None:
    result = trainer.train(config(**online(reference=reference, holdout={"examples": 4})), root)
    assert result.code == 0, result.output
    stage = root / "job/kd"
    rounds = manifest(root)["rounds"]
    assert [each["round"] for each in rounds] == [1, 2, 3]
    # Stale weights would make every round repeat the first one.
    assert rounds[0]["sampledWeights"] == weights_digest(root / "job/sft/model")
    assert [each["sampledWeights"] for each in rounds[1:]] == [each["madeWeights"] for each in rounds[:-1]]
    assert len({each["madeWeights"] for each in rounds}) == 3
    assert manifest(root)["weights"] == {"start": rounds[0]["sampledWeights"], "made": rounds[-1]["madeWeights"]}
    rejected = [
        {pair["prompt"][-1]["content"]: pair["rejected"] for pair in rows_of(stage / f"rounds/{number}/pairs.jsonl")}
        for number in (1, 2, 3)
    ]
    assert any(rejected[0][question] != rejected[1][question] for question in rejected[0].keys() & rejected[1].keys())

    # The journal goes on over the rounds; with RoundStart each one begins with policy and reference equal.
    margins = trainer.values(stage, metrics.REWARD_MARGIN)
    assert set(margins) == set(range(1, 10))
    first = [margins[step] for step in (1, 4, 7)]
    if reference == "RoundStart":
        assert first == pytest.approx([0, 0, 0], abs=1e-6)
    else:
        assert first[0] == pytest.approx(0, abs=1e-6)
        assert min(map(abs, first[1:])) > 1e-3
    assert trainer.values(stage, metrics.ROUND) == {0: 1, 3: 2, 6: 3}
    assert [point["metrics"][metrics.TOTAL_STEPS] for point in trainer.points(stage) if metrics.TOTAL_STEPS in point["metrics"]][
        -1
    ] == 9
    asked = classroom.asked_of("teacher")
    assert len(asked) == len(set(asked)) == QUESTIONS


def test_a_judge_compares_each_round_with_the_start_and_ends_the_stage_without_gain(
    root: Path, classroom: Classroom, config: Configure, trainer: Any
) -> None:
    still = {"learningRate": 1e-12, "warmup": {"steps": 0}, "maxSteps": 1, "globalBatchSize": 8}
    greedy = {"temperature": 0, "maximumTokens": 24}
    result = trainer.train(config(**online(), **judged(classroom), optimization=still, studentSampling=greedy), root)
    assert result.code == 0, result.output
    (only,) = manifest(root)["rounds"]
    assert only["winRate"] == {"value": 0.5, "error": 0.0, "low": 0.5, "high": 0.5, "count": 8, "failed": 0}
    assert not classroom.asked_of("judge"), "equal answers need no judge"
    assert "no more than chance" in result.output
    last = JournalTail(root / "job/kd/metrics.jsonl").read().progress()
    assert last is not None and (last.step, last.total_steps) == (1, 1)


def test_the_best_judged_round_is_published(root: Path, classroom: Classroom, config: Configure, trainer: Any) -> None:
    changes = {**online(rounds=2, stopWithoutGain=False), **judged(classroom)}
    result = trainer.train(config(**changes), root)
    assert result.code == 0, result.output
    stage, found = root / "job/kd", manifest(root)
    rates = [each["winRate"]["value"] for each in found["rounds"]]
    best = rates.index(max(rates)) + 1
    assert found["publishedRound"] == best
    assert weights_digest(stage / "model") == found["rounds"][best - 1]["madeWeights"]
    assert list(trainer.values(stage, metrics.ROUND_WIN_RATE).values()) == rates
    assert set(trainer.values(stage, metrics.ROUND_WIN_RATE)) == {3, 6}
    # The questions of the judge are no steps and no pairs.
    points = trainer.points(stage)
    assert max(point["step"] for point in points) == 6
    shown = [{**point["metrics"], **point.get("progress", {})} for point in points]
    assert {each[metrics.TOTAL_STEPS] for each in shown if metrics.TOTAL_STEPS in each} == {6}
    # What the judge costs is shown while it is asked.
    assert {point["step"] for point in points if metrics.REQUESTS in point.get("progress", {})} == {0, 3, 6}
    assert trainer.values(stage, metrics.ROWS_WRITTEN) == {0: found["rounds"][0]["pairs"], 3: found["rounds"][1]["pairs"]}
    exam = {row["prompt"] for row in rows_of(root / "inputs/exam.jsonl")}
    verdicts = [json.loads((stage / f"rounds/{number}/judged.json").read_text())["outcomes"] for number in (1, 2)]
    assert verdicts[0].keys() == verdicts[1].keys() and len(verdicts[0]) == len(exam)
    assert not exam & {lesson["messages"][-1]["content"] for lesson in rows_of(stage / "teacher.jsonl")}


def test_cut_echoed_and_identical_answers_make_no_pair_and_both_sides_end_alike(
    root: Path, classroom: Classroom, config: Configure, trainer: Any
) -> None:
    cut_teacher, cut_student, echo, same, silent, *others = sorted(
        row["prompt"] for row in rows_of(root / "inputs/questions.jsonl")
    )
    known = classroom.answers

    def teacher(question: str) -> tuple[str, str]:
        return (known[question], "length" if question == cut_teacher else "stop")

    def student(question: str) -> tuple[str, str]:
        said = {echo: question, same: f" {known.get(question, '').upper()}</s>", silent: "</s>"}
        return (
            said.get(question, f"{question} Answer: I do not know.<|im_end|>"),
            "length" if question == cut_student else "stop",
        )

    classroom.teacher, classroom.student = teacher, student
    # Counted, not failed: these questions are answered, if badly.
    result = trainer.train(config(student=classroom.endpoint("student"), cutAnswers="Drop", maximumFailedShare=0), root)
    assert result.code == 0, result.output
    stage = root / "job/kd"
    (made,) = manifest(root)["rounds"]
    assert manifest(root)["withoutLesson"] == {"teacherCut": 1}
    assert made["counts"] == {
        "asked": QUESTIONS - 1,
        **{"studentCut": 1, "studentEcho": 1, "identical": 1, "studentEmpty": 1},
        **{"studentEchoStripped": len(others), "studentEndStripped": len(others)},
    }
    assert made["pairs"] == len(others)
    assert trainer.values(stage, metrics.left_out_of("identical")) == {0: 1}
    rows = Dataset.from_file(str(stage / "rounds/1/data/train.arrow"))
    assert len(rows) == len(others)
    tokenizer = AutoTokenizer.from_pretrained(stage / "model")
    for row in rows:
        ends = row["chosen_ids"][-1], row["rejected_ids"][-1]
        assert ends[0] == ends[1] == tokenizer.eos_token_id
        assert tokenizer.decode(row["rejected_ids"], skip_special_tokens=True).strip() == "I do not know."


def test_a_server_with_the_weights_of_the_round_before_is_refused(
    root: Path, classroom: Classroom, config: Configure, trainer: Any
) -> None:
    changes = online(rounds=2, student=classroom.endpoint("student"))
    refused = trainer.train(config(**changes), root)
    assert refused.termination.reason == "StaleStudent"
    assert (
        "answers 16 questions exactly as before the last round; load the model of job/kd/rounds/1/model into it"
        in refused.termination.message
    )
    classroom.student = lambda question: ("I know a little.", "stop")
    result = trainer.train(config(attempt=2, **changes), root)
    assert result.code == 0, result.output
    pairs = [rows_of(root / f"job/kd/rounds/{number}/pairs.jsonl") for number in (1, 2)]
    assert [{pair["rejected"][0]["content"] for pair in each} for each in pairs] == [{"I do not know."}, {"I know a little."}]


class Killed:
    """Kills the ranks once, as soon as something is there."""

    def __init__(self, is_there: Callable[[], bool]) -> None:
        self._is_there = is_there
        self.count = 0

    def __call__(self, ranks: list[int]) -> None:
        if not self.count and self._is_there():
            self.count += 1
            for rank in ranks:
                os.kill(rank, signal.SIGKILL)


def test_killed_in_sampling_in_training_and_between_rounds_it_makes_the_same_models(
    root: Path, classroom: Classroom, config: Configure, trainer: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    two = {"compute": {"processesPerNode": 2}}
    steps = {"learningRate": 5e-4, "warmup": {"steps": 0}, "maxSteps": 6, "globalBatchSize": 8}
    changes = {**two, **online(rounds=2, optimization=steps), **judged(classroom, stopWithoutGain=False)}
    stage = root / "job/kd"
    moments = [
        lambda: any((stage / "rounds/1/student").glob("process-*.jsonl")),
        lambda: any((stage / "rounds/1/checkpoints").glob("step-*")),
        lambda: (stage / "rounds/1/DONE").exists(),
        lambda: any((stage / "rounds/2/student").glob("process-*.jsonl")),
        lambda: any((stage / "rounds/2/checkpoints").glob("step-*")),
    ]
    for number, moment in enumerate(moments, start=1):
        killed = Killed(moment)
        result = trainer.train(config(attempt=number, **changes), root, killed)
        assert killed.count, result.output
    result = trainer.train(config(attempt=len(moments) + 1, **changes), root)
    assert result.code == 0, result.output
    interrupted = manifest(root)
    # An answered question is never paid again; only what was under way at a kill may be.
    for model in ("teacher", "judge"):
        asked = classroom.asked_of(model)
        assert len(asked) - len(set(asked)) == 0
    assert set(trainer.values(stage, metrics.LOSS)) == set(range(1, 13))

    shutil.rmtree(stage)
    whole = trainer.train(config(**changes), root)
    assert whole.code == 0, whole.output
    assert [each["madeWeights"] for each in manifest(root)["rounds"]] == [each["madeWeights"] for each in interrupted["rounds"]]
    assert [each["winRate"] for each in manifest(root)["rounds"]] == [each["winRate"] for each in interrupted["rounds"]]


HIGH_RATE = {"learningRate": 5e-3, "warmup": {"steps": 0}, "maxSteps": 3, "globalBatchSize": 8}


@pytest.mark.parametrize(
    ("compute", "changes"),
    [
        pytest.param({"processesPerNode": 2, "sharding": "ZeRO3", "microBatchSize": 1}, {}, id="ZeRO-3"),
        # What the student samples, and so the margin, depends on the processor; a small adapter needs a high rate to show one.
        pytest.param({}, {"adapter": {"quantization": "NF4", "lora": {"rank": 4}}, "optimization": HIGH_RATE}, id="QLoRA"),
        pytest.param({"processesPerNode": 2}, {"adapter": {"lora": {"rank": 4}}, "batching": "Padded"}, id="LoRA, padded"),
    ],
)
def test_sharded_weights_and_adapters_go_through_rounds(
    root: Path, classroom: Classroom, config: Configure, trainer: Any, compute: dict[str, Any], changes: dict[str, Any]
) -> None:
    result = trainer.train(config(compute=compute, **online(rounds=2, reference="StageStart"), **changes), root)
    assert result.code == 0, result.output
    first, second = manifest(root)["rounds"]
    assert second["sampledWeights"] == first["madeWeights"] != second["madeWeights"]
    margins = trainer.values(root / "job/kd", metrics.REWARD_MARGIN)
    assert margins[1] == pytest.approx(0, abs=1e-5) and abs(margins[4]) > 1e-4
