"""MT-Bench's turns, temperatures, right answers and means, with judges behind a real server."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from alignment_api.results.evaluation import EvaluatedRow
from alignment_trainer.endpoints.question import Message, SamplingSettings
from alignment_trainer.evaluation.measure import measure_of
from alignment_trainer.evaluation.measures import mt_bench
from alignment_trainer.evaluation.measures.mt_bench import longer_wins, sampling_of
from alignment_trainer.evaluation.tasks import OpenTask
from alignment_trainer.failures import BadData
from evaluated_jobs import exam_config, task, write_rows
from faulty_server import FaultyServer, a_faulty_server
from judged_exams import candidate, estimates, opened, score, write_answers
from judges import Judge, answers_in

QUESTIONS = [
    {"question_id": 1, "category": "writing", "turns": ["Write w1.", "Rewrite w2."]},
    {"question_id": 2, "category": "math", "turns": ["Compute m1.", "Double m2."]},
    {"question_id": 3, "category": "math", "turns": ["Compute n1.", "Double n2."], "reference": ["right n1", ""]},
    {"question_id": 4, "category": "stem", "turns": ["Explain s1."], "reference": ["never shown"]},
]
RIGHT = [{"question_id": 2, "choices": [{"index": 0, "turns": ["right m1", "right m2"]}]}]
GRADES = {"w1": 8, "w2": 6, "m1": 2, "m2": 5, "n1": 9, "n2": 3, "s1": 7}
Configure = Callable[..., OpenTask]


def named(text: str) -> str:
    """Return which turn a question is."""
    return text.split()[-1].rstrip(".")


def says(messages: Sequence[Message]) -> str:
    return f"answer to {named(messages[-1]['content'])}"


@pytest.fixture
def server() -> Any:
    with a_faulty_server() as server:
        server.otherwise = Judge(lambda shown: [GRADES[named(shown[0])]]).serve
        yield server


@pytest.fixture
def bench(tmp_path: Path, server: FaultyServer) -> Configure:
    """Return a function that opens the task, and writes what `base` answers in each turn."""

    def configured(say: Any = says, questions: Any = QUESTIONS, right: Any = RIGHT, judges: int = 1, **settings: Any) -> OpenTask:
        write_rows(tmp_path, "bench", questions)
        write_rows(tmp_path, "right", right)
        endpoints = [{"baseUrl": server.url, "model": f"judge-{at}", "concurrency": 2} for at in range(judges)]
        own = task("bench", "MTBench", **({"references": {"uri": "workspace://right.jsonl"}} if right else {}))
        found = opened(exam_config(tmp_path, [own], judges=endpoints, **settings))
        asked = mt_bench._first_turn(found)
        for turn in (1, 2):
            for sampling, places in mt_bench._by_sampling(found, asked):
                questions = [mt_bench.question(asked[place], found.settings.seed) for place in places]
                write_answers(found, "base", questions, sampling, say)
            asked = mt_bench._asked_then(found, candidate("base"), asked, turn)
        return found

    return configured


@pytest.mark.parametrize(
    ("category", "temperature"),
    [("writing", 0.7), ("roleplay", 0.7), ("humanities", 0.1), ("stem", 0.1), ("math", 0.0), ("coding", 0.0), ("generic", 0.0)],
)
def test_each_category_has_its_temperature(category: str, temperature: float) -> None:
    assert sampling_of(category, SamplingSettings(0.3, 0.9, 64)) == SamplingSettings(temperature, 0.9, 64)


def test_grades_by_turn_and_category_with_errors_over_questions(bench: Configure) -> None:
    asked = bench()
    rows = score(asked, "base")
    assert [(row.row, row.scores["grade"]) for row in rows] == [
        ("bench.jsonl:1, turn 1", 8), ("bench.jsonl:1, turn 2", 6), ("bench.jsonl:2, turn 1", 2), ("bench.jsonl:2, turn 2", 5),
        ("bench.jsonl:3, turn 1", 9), ("bench.jsonl:3, turn 2", 3), ("bench.jsonl:4, turn 1", 7),
    ]  # fmt: skip
    found = estimates(asked, rows)
    assert {name: each.value for name, each in found.items()} == {
        "grade": 40 / 7, "grade/turn_1": 6.5, "grade/turn_2": 14 / 3, "grade/writing": 7, "grade/math": 4.75, "grade/stem": 7,
        "length": 12,
    }  # fmt: skip
    # Deviations from 40/7, summed over the turns of each question: the questions are the observations, not the turns.
    sums = [14 - 80 / 7, 7 - 80 / 7, 12 - 80 / 7, 7 - 40 / 7]
    assert found["grade"].error == pytest.approx(math.sqrt(4 / 3 * sum(each**2 for each in sums)) / 7)
    assert (found["grade"].count, found["grade/math"].count, found["grade/math"].failed) == (4, 2, 0)


def test_each_answer_is_read_once(bench: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    drawn = mt_bench.drawn

    def recorded(task: OpenTask, model: Any, asked: Any, sampling: SamplingSettings) -> Any:
        read.extend(one.key for one in asked)
        return drawn(task, model, asked, sampling)

    asked = bench()
    monkeypatch.setattr(mt_bench, "drawn", recorded)
    score(asked, "base")
    assert len(read) == len(set(read)) == 7


def test_judges_see_the_dialogue_and_right_answers_only_where_one_is_right(bench: Configure, server: FaultyServer) -> None:
    rows = score(bench(), "base")
    prompts = {}
    for body in server.bodies:
        text = body["messages"][0]["content"]
        mark = text.splitlines()[-1].split()[0]
        prompts[named(text.split(f"\n{mark} answer A\n")[1].split(f"\n{mark} end")[0])] = text.replace(mark, "MARK")
    assert (
        "MARK request\nuser: Compute m1.\nassistant: answer to m1\nuser: Double m2.\nMARK reference 1\nright m1\n"
        in prompts["m2"]
    )
    assert "MARK reference 2\nright m2\nMARK answer A\nanswer to m2\nMARK end" in prompts["m2"]
    assert "MARK request\nCompute m1.\nMARK reference 1\nright m1\nMARK answer A" in prompts["m1"]
    assert "right n1" in prompts["n1"] and "reference 2" not in prompts["n2"]
    assert not any("reference" in prompts[name] for name in ("w1", "w2", "s1"))
    assert [row.reference for row in rows] == [None, None, "right m1", "right m2", "right n1", None, None]


def first_answer(text: str) -> Callable[[Sequence[Message]], str]:
    """Return a model that begins its dialogue about w1 with another text, and ends it like the first model."""
    return lambda messages: text if named(messages[-1]["content"]) == "w1" else says(messages)


CHANGED = {
    "nothing": ({}, []),
    "the reference of a first turn, which judges of the second one see too": (
        {"right": [{"question_id": 2, "choices": [{"turns": ["really right m1", "right m2"]}]}]},
        ["m1", "m2"],
    ),
    "a reference that judges do not see": ({"questions": [*QUESTIONS[:3], {**QUESTIONS[3], "reference": ["other"]}]}, []),
    "the answer of a first turn": ({"say": first_answer("other answer to w1")}, ["w1", "w2"]),
    "a question": ({"questions": [{**QUESTIONS[0], "turns": ["Please write w1.", "Rewrite w2."]}, *QUESTIONS[1:]]}, ["w1", "w2"]),
}


@pytest.mark.parametrize("situation", CHANGED)
def test_only_what_judges_are_shown_anew_is_judged_anew(bench: Configure, server: FaultyServer, situation: str) -> None:
    change, judged_again = CHANGED[situation]
    known, asked = score(bench(), "base"), len(server.bodies)
    found = score(bench(**change), "base")
    prompts = [body["messages"][0]["content"] for body in server.bodies[asked:]]
    answers = [answer for text in prompts for answer in answers_in(text, text.splitlines()[-1].split()[0])]
    assert sorted(map(named, answers)) == judged_again
    if not judged_again:
        assert found == known


def test_a_turn_after_one_without_an_answer_fails_too(bench: Configure) -> None:
    def no_first(messages: Sequence[Message]) -> str | None:
        return None if named(messages[-1]["content"]) == "m1" else says(messages)

    asked = bench(no_first, maximumFailedShare=0.3)
    rows = score(asked, "base")
    assert [row.scores["grade"] for row in rows] == [8, 6, None, None, 9, 3, 7]
    assert "cannot read" in (rows[2].reason or "") and rows[3].reason == "an earlier turn has no answer"
    found = estimates(asked, rows)
    assert (found["grade"].count, found["grade"].failed) == (3, 1)
    assert (found["grade/writing"].failed, found["grade/math"].failed) == (0, 1)


def test_a_grade_is_the_mean_of_all_judges_or_missing(bench: Configure, server: FaultyServer) -> None:
    def mild(handler: Any) -> None:
        extra = 1 if handler.body["model"] == "judge-1" else 0
        Judge(lambda shown: ["N/A" if extra and shown[0] == "answer to s1" else GRADES[named(shown[0])] + extra]).serve(handler)

    server.otherwise = mild
    asked = bench(judges=2, maximumFailedShare=0.2)
    rows = score(asked, "base")
    assert [row.scores["grade"] for row in rows] == [8.5, 6.5, 2.5, 5.5, 9.5, 3.5, None]
    assert rows[6].reason == "judge-1: NotApplicable"
    panel = measure_of(asked).panel(asked, {"base": rows})
    assert panel is not None
    assert (panel.agreement, panel.agreement_count, panel.failures) == (0, 6, {"NotApplicable": 1})
    assert panel.grades == {"judge-0/base": 40 / 7, "judge-1/base": 39 / 6}


def test_missing_right_answers_are_noted(bench: Configure) -> None:
    asked = bench(right=[])
    assert list(measure_of(asked).notes(asked, {})) == [
        "bench: 1 of 2 questions of math, coding and reasoning have no reference answer, and are graded without one"
    ]
    complete = bench()
    assert list(measure_of(complete).notes(complete, {})) == []
    assert measure_of(complete).settings(complete)["with_references"] == 2


WRONG = {
    "a question twice": ({"questions": [QUESTIONS[0], QUESTIONS[0]]}, r"tasks\[0\].dataset: question_id 1 occurs twice"),
    "two right answers": ({"right": RIGHT * 2}, r"right.jsonl:2: it is a second answer to question_id 2"),
    "no right answers": ({"right": QUESTIONS}, r"right.jsonl:1: is no reference answer"),
}


@pytest.mark.parametrize("situation", WRONG)
def test_files_that_do_not_fit_are_refused(bench: Configure, situation: str) -> None:
    files, said = WRONG[situation]
    with pytest.raises(BadData, match=said):
        bench(**files)


def test_longer_answers_are_counted_where_grades_differ() -> None:
    def graded(*rows: tuple[float | None, float | None]) -> list[EvaluatedRow]:
        return [
            EvaluatedRow(key=str(at), row=str(at), prompt="", scores={"grade": grade, "length": length})
            for at, (grade, length) in enumerate(rows)
        ]

    one = graded((5, 10), (5, 10), (5, 10), (5, 10), (None, None))
    other = graded((6, 20), (6, 5), (5, 20), (6, 10), (6, 20))
    assert sorted(longer_wins({"one": one, "other": other})) == [0, 1]
