"""A judge that looks at the place or the length is named; an unbiased one is not, and no responder gains by its place."""

import random
from collections.abc import Callable

import pytest
from alignment_trainer.judging.aspects import ASPECTS, judge_aspects
from alignment_trainer.judging.bias import DuelBias, ScoreBias
from alignment_trainer.judging.pairwise import compare
from judges import SAMPLING, SERVER, Judge, run

RESPONDERS, PROMPTS = 4, 100


def texts(seed: int) -> list[list[str]]:
    """Return the answers of each responder to each prompt; their lengths say nothing about them."""
    draw = random.Random(seed)
    return [[f"{draw.random()} " + "x" * draw.randrange(200) for _ in range(RESPONDERS)] for _ in range(PROMPTS)]


def measured(decide: Callable[[list[str]], list[int]], seed: int = 1) -> tuple[ScoreBias, list[float]]:
    """Return the bias of a judge, and how often each responder beats another one."""
    bias, wins = ScoreBias(), [0.0] * RESPONDERS
    for number, answers in enumerate(texts(seed)):
        question = [{"role": "user", "content": f"Question {number}"}]
        judged = run(judge_aspects(Judge(decide), SERVER, SAMPLING, question, answers, ASPECTS, seed))
        bias.add(judged, answers)
        means = [sum(score.rating or 0 for score in scores.values()) for scores in judged.scores]
        for index, mean in enumerate(means):
            others = [other for place, other in enumerate(means) if place != index]
            wins[index] += sum((mean > other) + 0.5 * (mean == other) for other in others) / len(others)
    return bias, [won / PROMPTS for won in wins]


def by_content(shown: list[str]) -> list[int]:
    return [1 + int(text[2:5]) % 5 for text in shown]


def test_a_judge_that_prefers_the_first_place_favours_no_responder_and_is_named() -> None:
    bias, wins = measured(lambda shown: [5, 3, 3, 3])
    assert all(0.4 < won < 0.6 for won in wins)
    assert bias.warnings[0] == (
        "the judge looks at the place of an answer: the one at place 1 of 4 gets on average 1.50 points more than the mean of "
        "its judgement (400 judgements); the shuffled order keeps this from favouring a responder, but it adds noise"
    )


def test_a_judge_that_dislikes_the_last_place_is_named() -> None:
    bias, _ = measured(lambda shown: [max(1, rating - 2 * (place == 3)) for place, rating in enumerate(by_content(shown))])
    (warning,) = bias.warnings
    assert "the one at place 4 of 4 gets on average 1." in warning
    assert "points less than the mean" in warning


def test_a_judge_that_prefers_length_is_named() -> None:
    bias, _ = measured(lambda shown: [1 + min(4, len(text) // 50) for text in shown])
    (warning,) = bias.warnings
    assert warning.startswith(
        "longer answers get higher scores: the rank correlation of length and score within a prompt is +0.9"
    )
    bias, _ = measured(lambda shown: [5 - min(4, len(text) // 50) for text in shown])
    (warning,) = bias.warnings
    assert warning.startswith("shorter answers get higher scores")


def test_an_unbiased_judge_is_not_named() -> None:
    assert [measured(by_content, seed)[0].warnings for seed in range(5)] == [[]] * 5


def test_few_judgements_or_equal_ratings_show_nothing() -> None:
    bias, _ = measured(lambda shown: [3, 3, 3, 3])
    assert (bias.warnings, bias.length_correlation, bias.places[0].count) == ([], None, 0)
    few = ScoreBias()
    for answers in texts(1)[:4]:
        question = [{"role": "user", "content": "Question"}]
        judged = run(judge_aspects(Judge(lambda shown: [5, 1, 1, 1]), SERVER, SAMPLING, question, answers, ASPECTS, 1))
        few.add(judged, answers)
    assert few.places[0].count == 16
    assert few.warnings == []


def test_a_missing_aspect_adds_no_length() -> None:
    bias, _ = measured(lambda shown: ["N/A", 3, 4, 5])
    assert bias.length.count == 0
    assert bias.places == []


def duels(decide: Callable[[list[str]], str], seed: int = 1) -> tuple[DuelBias, list[float]]:
    bias, outcomes = DuelBias(), []
    for number, (first, second, *_) in enumerate(texts(seed)):
        question = [{"role": "user", "content": f"Question {number}"}]
        duel = run(compare(Judge(lambda shown: [decide(shown)]), SERVER, SAMPLING, question, first, second, seed))
        bias.add(duel, first, second)
        outcomes.append(duel.outcome)
    return bias, outcomes


@pytest.mark.parametrize(("place", "named"), [("A", "first"), ("B", "second")])
def test_a_judge_that_prefers_one_place_makes_ties_and_is_named(place: str, named: str) -> None:
    bias, outcomes = duels(lambda shown: place)
    assert set(outcomes) == {0.5}
    assert bias.warnings == [
        "the judge looks at the place of an answer: where it contradicts itself when the order changes, the answer that stands "
        f"{named} wins 100 of 100 times; these duels count as ties"
    ]


def test_a_judge_of_duels_that_prefers_length_is_named() -> None:
    bias, _ = duels(lambda shown: "AB"[len(shown[1]) > len(shown[0])])
    (warning,) = bias.warnings
    assert warning.startswith("the longer answer wins")


def test_an_unbiased_judge_of_duels_is_not_named() -> None:
    assert [duels(lambda shown: "AB"[shown[1] > shown[0]], seed)[0].warnings for seed in range(5)] == [[]] * 5
