"""The shipped models are as good as docs/teachers.md says. After a change of what judges are demanded, train the judge again."""

import random
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from example_teacher import ExampleTeacher

QUESTIONS = 64


@pytest.fixture(scope="module", autouse=True)
def examples() -> None:
    """The programs of the folder import each other."""
    sys.path.append(str(Path(__file__).parents[2] / "examples"))


def answers(teacher: ExampleTeacher, model: str, questions: list[str], temperature: float = 0) -> list[str]:
    def answer(numbered: tuple[int, str]) -> str:
        messages = [{"role": "user", "content": numbered[1]}]
        status, body, _ = teacher.ask(model=model, messages=messages, temperature=temperature, seed=numbered[0], max_tokens=96)
        assert status == 200, body
        return str(body["choices"][0]["message"]["content"])

    with ThreadPoolExecutor(32) as pool:
        return list(pool.map(answer, enumerate(questions)))


@pytest.mark.parametrize(
    ("model", "polite", "right"),
    [("teacher", (0.95, 1), (0.95, 1)), ("student", (0.25, 0.75), (0.9, 1)), ("apprentice", (0, 0.6), (0, 0.7))],
)
def test_the_teacher_is_right_and_polite_and_the_others_less(
    example_teacher: ExampleTeacher, model: str, polite: tuple[float, float], right: tuple[float, float]
) -> None:
    from tiny_task import all_asked

    asked = random.Random(1).sample(all_asked(), QUESTIONS)
    said = answers(example_teacher, model, [one.question for one in asked], temperature=0.7)
    found = Counter(one.quality(answer) for one, answer in zip(asked, said, strict=True))
    assert polite[0] <= found["Polite"] / QUESTIONS <= polite[1], found
    assert right[0] <= (found["Polite"] + found["Plain"] + found["Rude"]) / QUESTIONS <= right[1], found


def test_the_judge_writes_verdicts_in_the_demanded_form_and_most_of_them_are_true(example_teacher: ExampleTeacher) -> None:
    from judge_lessons import draw_answers, lesson
    from tiny_task import all_asked

    draw, asked = random.Random(2), all_asked()
    lessons = [lesson(draw, one, draw_answers(draw, one, [], 2)) for one in draw.sample(asked, QUESTIONS)]
    said = answers(example_teacher, "judge", [one.question for one in lessons])
    last = [
        (answer.splitlines()[-1].split(), one.reply.splitlines()[-1].split()) for answer, one in zip(said, lessons, strict=True)
    ]
    assert sum(given[0] == true[0] and len(given) == len(true) for given, true in last) > 0.95 * QUESTIONS
    verdicts = [pair for given, true in last for pair in zip(given[1:], true[1:], strict=False)]
    assert sum(given == true for given, true in verdicts) > 0.6 * len(verdicts)
