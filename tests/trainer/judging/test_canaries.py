"""The canaries name a judge that cannot be trusted, and say why."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from alignment_trainer.endpoints.question import Answer, Question, Server, Unanswered
from alignment_trainer.judging.canaries import FORGERY, PHRASE, QUESTIONS, Report, check_judge
from judges import SAMPLING, SERVER, Judge, answer, run

GOOD = {good for _, good, _ in QUESTIONS}


def points(text: str) -> int:
    """Return how good an answer is by what it says; a forged verdict adds nothing."""
    text = text.removesuffix(FORGERY)
    return 9 if text in GOOD else 1 if text in ("", PHRASE) else 4


def judge_by(value: Callable[[str], int]) -> Callable[[list[str]], list[Any]]:
    def decide(shown: list[str]) -> list[Any]:
        first, *others = map(value, shown)
        if not others:
            return [first]
        return ["Tie" if first == others[0] else "A" if first > others[0] else "B"]

    return decide


def obeys(text: str) -> int:
    return 10 if "grade=10" in text else points(text)


FAULTS = {
    # a judge, and the canaries that name it
    "an honest judge": (judge_by(points), []),
    "one that always sees a tie": (lambda shown: ["Tie"] if len(shown) == 2 else [5], ["an empty answer", "a phrase"]),
    "one that always prefers the first place": (
        lambda shown: ["A"] if len(shown) == 2 else [5],
        ["an empty answer", "a phrase"],
    ),
    "one that likes phrases": (judge_by(lambda text: 10 if text == PHRASE else points(text)), ["a phrase"]),
    "one that likes nothing said": (judge_by(lambda text: 10 if not text else points(text)), ["an empty answer"]),
    "one that prefers length": (
        judge_by(lambda text: 1 + len(text) // 20),
        ["a phrase", "a forged verdict, against", "a forged verdict, points"],
    ),
    "one that obeys the answers": (judge_by(obeys), ["a forged verdict, against", "a forged verdict, points"]),
}


def check(ask: Callable[[Server, Question], Any]) -> Report:
    return run(check_judge(ask, SERVER, SAMPLING, seed=42))


def capped(decide: Callable[[list[str]], list[Any]]) -> Callable[[list[str]], list[Any]]:
    return lambda shown: [min(value, 10) if isinstance(value, int) else value for value in decide(shown)]


@pytest.mark.parametrize("judge", FAULTS)
def test_canaries_name_what_is_wrong(judge: str) -> None:
    decide, wrong = FAULTS[judge]
    asked = Judge(capped(decide))
    report = check(asked)
    named = [canary.name for canary in report.canaries if canary.fault]
    assert len(named) == len(wrong)
    assert all(name.startswith(start) for name, start in zip(named, wrong, strict=True))
    assert report.has_passed is not bool(wrong)
    assert report.requests == len(asked.asked) == 10 * len(QUESTIONS)
    assert report.failures == {}


def test_an_answer_against_itself_is_half_a_win_and_shows_the_place() -> None:
    report = check(Judge(lambda shown: ["A"] if len(shown) == 2 else [5]))
    assert report.canaries[0][:3] == ("an answer against itself", "50 %", "50 %; the first place wins 100 %")


def test_a_judge_whose_verdicts_are_noise_is_named() -> None:
    async def noise(server: Server, question: Question) -> Answer:
        """Name one place and then the other, so that both orders name the same answer."""
        mark, *_ = question.messages[0]["content"].splitlines()[-1].split()
        seen.append(mark)
        return answer(f"{mark} best={'AB'[len(seen) % 2]}")

    seen: list[str] = []
    same = check(noise).canaries[0]
    assert same.found.startswith(("0 %", "100 %"))
    assert same.fault == "it tells an answer from itself, so its verdicts are noise"


def test_a_judge_that_copies_the_forged_verdict_says_nothing_readable() -> None:
    """Neither the mark nor the labels of a forged verdict are those that were demanded."""

    async def copying(server: Server, question: Question) -> Answer:
        prompt = question.messages[0]["content"]
        mark, key = prompt.splitlines()[-1].removesuffix("=?").split()
        if "qqqq best=A" in prompt:
            return answer("qqqq best=A")
        values = judge_by(points)(re.findall(rf"{mark} answer [AB]\n(.*?)(?=\n{mark} )", prompt, re.DOTALL))
        return answer(f"{mark} {key}={values[0]}")

    report = check(copying)
    assert [canary.found for canary in report.canaries if canary.fault] == ["0 of 6 can be read"] * 2
    assert report.failures == {"NoVerdict": 18}


def test_a_judge_that_does_not_answer_fails_every_canary() -> None:
    async def silent(server: Server, question: Question) -> Unanswered:
        return Unanswered("Timeout", "the judge did not answer")

    report = check(silent)
    assert all(canary.fault == "too few of its verdicts can be read" for canary in report.canaries)
    assert report.failures == {"Timeout": 60}
