"""A server of the student is asked for its weights' own answers, and again when a stopped stage continues."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alignment_api.run_config import RunConfig
from alignment_trainer.endpoints.question import Answer
from alignment_trainer.failures import StaleStudent
from alignment_trainer.settings.dpo_distillation import dpo_distillation_settings
from alignment_trainer.synthesis.rounds.round_config import Student, round_of
from alignment_trainer.synthesis.rounds.served_student import served_answers, why_stale
from alignment_trainer.synthesis.student import Asked
from classroom import Classroom, a_classroom

OLD, NEW = {"a": "1", "b": "2", "c": "3"}, {"a": "4", "b": "5", "c": "6"}
OLD_BUT_ONE, NEW_BUT_ONE = {**OLD, "c": "6"}, {**NEW, "c": "3"}
NOTHING, EXACTLY, OTHERWISE, MORE = None, "exactly as before", "all otherwise", "more as before"
SITUATIONS = {
    # what the server says now, what it said when the round began and one round earlier
    "the first round begins": (OLD, None, None, NOTHING),
    "the first round continues": (OLD, OLD, None, NOTHING),
    "the first round continues with other weights": (NEW, OLD, None, OTHERWISE),
    "a round begins": (NEW, None, OLD, NOTHING),
    "a round begins with the weights before": (OLD, None, OLD, EXACTLY),
    "a round continues": (NEW, NEW, OLD, NOTHING),
    "one answer came out otherwise": (NEW_BUT_ONE, NEW, OLD, NOTHING),
    "a round continues with the weights before": (OLD, NEW, OLD, OTHERWISE),
    "a round continues with the weights before, and one answer is the same": (OLD_BUT_ONE, NEW, OLD, MORE),
    "training has changed no answer": (OLD, OLD, OLD, NOTHING),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_what_shows_other_weights(situation: str) -> None:
    now, own, before, wanted = SITUATIONS[situation]
    why = why_stale(now, own, before)
    assert why is None if wanted is None else why is not None and why.startswith(wanted)


COMPUTE = {"gpusPerNode": 0, "processesPerNode": 1, "microBatchSize": 2, "gradientCheckpointing": False}


def settings_of(server: Classroom) -> dict[str, Any]:
    return {
        "teacher": server.endpoint("teacher"),
        "student": server.endpoint("student"),
        "prompts": [{"uri": "workspace://questions.jsonl"}],
        "mode": "Online",
        "rounds": 2,
        "maxLength": 128,
        "studentSampling": {"maximumTokens": 24},
        "optimization": {"learningRate": 1e-3, "warmup": {"steps": 0}, "maxSteps": 2, "globalBatchSize": 2},
        "precision": "Float32",
        "cutAnswers": "Keep",
    }


def test_a_server_that_restarts_with_other_weights_before_a_resume_is_refused(
    staged: Callable[..., RunConfig], tmp_path: Path
) -> None:
    asked = [Asked(f"{number:016x}", ({"role": "user", "content": f"What is {number}?"},), number) for number in range(3)]
    with a_classroom({}) as server:
        config = staged(tmp_path, "kd", [{"name": "kd", "dpoDistillation": settings_of(server)}], compute=COMPUTE)
        settings, one = dpo_distillation_settings(config), round_of(config, 1, Student(tmp_path / "model", "0" * 64))
        assert settings.student
        one.folder.mkdir(parents=True)
        server.student = lambda question: (f"{question} No.", "stop")
        said = served_answers(config, settings, settings.student, one, asked)
        assert all(isinstance(answer, Answer) for answer in said)
        second = config.model_copy(update={"attempt": 2})
        assert served_answers(second, settings, settings.student, one, asked) == said
        server.student = lambda question: ("Of other weights.", "stop")
        with pytest.raises(StaleStudent, match="all otherwise than when this round began; load the model of model into it"):
            served_answers(config.model_copy(update={"attempt": 3}), settings, settings.student, one, asked)
