"""A student that learns from its teacher in rounds, with forked ranks, a small real model, and a real server as its teacher."""

import json
import shutil
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
from classroom import Classroom, a_classroom

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
    questions = sorted(known)
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
