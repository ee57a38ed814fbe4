"""All answers to a prompt are judged together, and where an answer stands does not depend on who wrote it."""

from itertools import permutations

import pytest
from alignment_trainer.endpoints.question import Unanswered
from alignment_trainer.judging.aspects import ASPECTS, OVERALL, judge_aspects
from alignment_trainer.judging.rubrics import RUBRICS
from judges import QUESTION, SAMPLING, SERVER, Judge, Replies, answer, run

ANSWERS = ["Eight.", "Six, like all insects have.", "", "A spider has eight legs, in four pairs."]


def by_length(shown: list[str]) -> list[int]:
    return [min(5, 1 + len(text) // 8) for text in shown]


def judged(ask, answers=ANSWERS, aspects=ASPECTS, seed=7):
    return run(judge_aspects(ask, SERVER, SAMPLING, QUESTION, answers, aspects, seed))


def test_an_aspect_is_one_question_about_all_answers() -> None:
    judge = Judge(by_length)
    found = judged(judge)
    assert len(judge.asked) == len(ASPECTS)
    assert [[scores[aspect].rating for aspect in ASPECTS] for scores in found.scores] == [[1] * 4, [4] * 4, [1] * 4, [5] * 4]
    assert found.scores[1]["Honesty"].rationale == "Because of 4."
    assert (found.failures, found.repairs) == ({}, 0)


def test_every_aspect_of_the_schema_has_a_rubric() -> None:
    assert set(RUBRICS) == {*ASPECTS, OVERALL}


def test_each_aspect_has_an_order_of_its_own_which_is_recorded() -> None:
    found = judged(Judge(lambda shown: range(1, 5)))
    orders = {tuple(scores[aspect].position for scores in found.scores) for aspect in ASPECTS}
    assert len(orders) > 1
    assert all(scores[aspect].rating == scores[aspect].position + 1 for scores in found.scores for aspect in ASPECTS)


def test_permuted_answers_are_the_same_question_and_keep_their_scores() -> None:
    """Even a judge that looks only at the place gives each answer the same score."""
    asked = set()
    for order in permutations(range(4)):
        judge = Judge(lambda shown: [5, 3, 2, 1])
        found = judged(judge, [ANSWERS[index] for index in order])
        asked.add(str(judge.asked))
        straight = judged(Judge(lambda shown: [5, 3, 2, 1]))
        assert [found.scores[order.index(index)] for index in range(4)] == list(straight.scores)
    assert len(asked) == 1


def test_equal_texts_are_shown_once_and_share_their_score() -> None:
    answers = ["Eight.", "Six.", "Eight.", "Ten."]
    for order in permutations(range(4)):
        judge = Judge(lambda shown: [5, 3, 1][: len(shown)])
        scores = judged(judge, [answers[index] for index in order]).scores
        assert scores[order.index(0)] == scores[order.index(2)]
        assert {len({score[aspect].rating for score in scores}) for aspect in ASPECTS} == {3}


def test_another_seed_is_another_order() -> None:
    first = [judged(Judge(by_length), seed=seed).scores[0]["Honesty"].position for seed in range(40)]
    assert set(first) == {0, 1, 2, 3}


def test_the_overall_score_goes_to_ten() -> None:
    found = judged(Judge(lambda shown: [10, 9, 1, 2]), aspects=["Overall"])
    assert sorted(scores["Overall"].rating for scores in found.scores) == [1, 2, 9, 10]


def test_an_unreadable_verdict_is_asked_for_once_more() -> None:
    ask = Replies("All are good: 5, 5.", "MARK A=5 B=4")
    found = judged(ask, ["Eight.", "Six."], ["Truthfulness"])
    assert sorted(scores["Truthfulness"].rating for scores in found.scores) == [4, 5]
    assert (found.failures, found.repairs) == ({}, 1)
    demand, shown, repair = ask.asked[1].messages
    assert demand == ask.asked[0].messages[0]
    assert shown == {"role": "assistant", "content": "All are good: 5, 5."}
    assert repair["content"].splitlines()[-1] == demand["content"].splitlines()[-1]


def test_a_second_unreadable_verdict_is_a_failure_and_no_score() -> None:
    found = judged(Replies("Good.", "MARK A=5 B=11"), ["Eight.", "Six."], ["Overall"])
    assert [(scores["Overall"].rating, scores["Overall"].missing) for scores in found.scores] == [(None, "OutOfRange")] * 2
    assert found.failures == {"OutOfRange": 1}


def test_no_reply_is_a_failure_that_is_not_asked_again() -> None:
    ask = Replies(Unanswered("Timeout", "the judge did not answer"))
    assert judged(ask, ["Eight.", "Six."], ["Overall"]).failures == {"Timeout": 1}


def test_an_answer_that_cannot_be_rated_misses_its_aspect() -> None:
    found = judged(Replies("MARK A=N/A B=N/A"), ["Eight.", "Six."], ["Honesty"])
    assert [(scores["Honesty"].rating, scores["Honesty"].missing) for scores in found.scores] == [(None, "NotApplicable")] * 2
    assert found.failures == {}


def test_a_cut_reply_has_no_verdict() -> None:
    cut = answer("MARK A=1 B=1", finish="length")
    assert judged(Replies(cut, cut), ["Eight.", "Six."], ["Overall"]).failures == {"CutReply": 1}


REASONS = {
    "type and reason": ("A: False: It has eight.", ("False", "It has eight.")),
    "no fault": ("A: None: It has eight.", ("None", "It has eight.")),
    "no type": ("A: It has eight.", ("", "It has eight.")),
    "an unknown type": ("A: Ugly: It has eight.", ("", "Ugly: It has eight.")),
    "only the first line about it": ("A: None: Right.\nA: False: Wrong.", ("None", "Right.")),
    "no line about it": ("Both are fine.", ("", "")),
}


@pytest.mark.parametrize("situation", REASONS)
def test_the_reason_is_kept_beside_the_rating(situation: str) -> None:
    reply, wanted = REASONS[situation]
    found = judged(Replies(f"{reply}\nMARK A=4 B=4"), ["Eight.", "Six."], ["Truthfulness"])
    (score,) = [scores["Truthfulness"] for scores in found.scores if scores["Truthfulness"].position == 0]
    assert (score.type, score.rationale) == wanted
