"""The file of a round's pairs: who answered, and what becomes of a stage where too many answers are missing."""

import json
from types import SimpleNamespace

import pytest
from alignment_api.spec.endpoints import Endpoint
from alignment_trainer.endpoints.question import Answer, Unanswered
from alignment_trainer.failures import TooFewRows, UnusableAnswers
from alignment_trainer.settings.servers import Server
from alignment_trainer.synthesis.rounds.contrast import no_pairs, report_of, write_pairs
from alignment_trainer.synthesis.rounds.lessons import Lesson
from alignment_trainer.synthesis.rounds.pairs import PairPolicy
from alignment_trainer.synthesis.rounds.round_config import Round, Student

PATH = "spec.stages[0].dpoDistillation"
WEIGHTS = "0badcafe"


def server(name):
    return Server(f"{PATH}.{name}", Endpoint(base_url=f"http://{name}:8000/v1", model=name))


def shown(name):
    return {"model": name, "baseUrl": f"http://{name}:8000/v1", "field": f"{PATH}.{name}"}


def written(folder, said, student=None, share=0.5):
    """Write the pairs of a round whose student says this, and return the round and its settings."""
    one = Round(1, folder, Student(folder / "model", WEIGHTS))
    settings = SimpleNamespace(path=PATH, teacher=server("teacher"), student=student, maximum_failed_share=share)
    lessons = [
        Lesson(str(number), ({"role": "user", "content": f"Why {number}?"},), Answer("So.", "stop", 1, 1), False)
        for number in range(len(said))
    ]
    write_pairs(one, settings, zip(lessons, said, strict=True), PairPolicy(False, ()), lambda row: True, None)
    return one, settings


SAYS, SAME = Answer("Magic.", "stop", 1, 1), Answer("so.", "stop", 1, 1)
SILENT = Unanswered("Timeout", "late")


@pytest.mark.parametrize(("student", "served"), [(None, {}), (server("student"), {"student": shown("student")})])
def test_a_pair_says_who_answered(student, served, tmp_path):
    one, _ = written(tmp_path, [SAYS], student)
    row = json.loads(one.pairs.read_text())
    assert row["provenance"] == {"key": "0", "teacher": shown("teacher"), **served, "round": 1, "studentWeights": WEIGHTS}


@pytest.mark.parametrize(("student", "failure"), [(None, UnusableAnswers), (server("student"), TooFewRows)])
def test_missing_answers_are_asked_for_again_only_where_a_server_gives_them(student, failure, tmp_path):
    with pytest.raises(failure, match="the student has no answer to 2 of 3 questions in round 1"):
        written(tmp_path, [SAYS, SILENT, SILENT], student)


def test_a_round_without_pairs_is_not_tried_again(tmp_path):
    one, settings = written(tmp_path, [SAME, SAME], server("student"))
    failure = no_pairs(report_of(one), settings)
    assert isinstance(failure, UnusableAnswers)
    assert str(failure).startswith(f"{PATH}: no question gives a pair (2 asked, 2 identical); ")
