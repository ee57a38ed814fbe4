"""Pairs of scored answers: which two, or why none; and the same ones in whichever order the answers come."""

import random
from itertools import permutations
from typing import Any

import pytest
from alignment_trainer.forms.pairs.judged import Scored
from alignment_trainer.settings.feedback import PairSettings
from alignment_trainer.synthesis.pairs.pairing import pair_of

ASPECTS = ("Truthfulness", "Helpfulness")
DEFAULTS = PairSettings(
    score="MeanOfAspects", aspects=ASPECTS, rejected="Random", minimum_margin=0, ties="Drop", missing_aspects="DropAnswer", seed=1
)


def settings(**changes: Any) -> PairSettings:
    return PairSettings(**{**vars(DEFAULTS), **changes})


def scored(text: str, *aspects: float | None, overall: float | None = None, model: str = "") -> Scored:
    """Return an answer; a single number is the score of all aspects."""
    given = aspects if len(aspects) == len(ASPECTS) else aspects * len(ASPECTS)
    found = {aspect: score for aspect, score in zip(ASPECTS, given, strict=False) if score is not None}
    return Scored(model or f"model of {text}", text, found, overall)


BEST, GOOD, FAIR, BAD = scored("best", 5), scored("good", 4), scored("fair", 3), scored("bad", 1)
ALL = [BEST, GOOD, FAIR, BAD]

PAIRS = {
    "worst": (ALL, {"rejected": "Worst"}, ("best", "bad", 4)),
    "second": (ALL, {"rejected": "Second"}, ("best", "good", 1)),
    "random of two": ([BEST, BAD], {}, ("best", "bad", 4)),
    "random goes on to an answer that is far enough": (ALL, {"minimum_margin": 4}, ("best", "bad", 4)),
    "random leaves out one that is as good": ([BEST, scored("equal", 5), BAD], {"minimum_margin": 1}, (..., "bad", 4)),
    "the margin itself is enough": ([scored("a", 4.6), scored("b", 4.1)], {"minimum_margin": 0.5}, ("a", "b", 0.5)),
    "a mean of aspects": ([scored("a", 5, 1), scored("b", 2, 3), scored("c", 4, 4)], {"rejected": "Worst"}, ("c", "b", 1.5)),
    "overall": (
        [scored("a", 1, overall=9), scored("b", 5, overall=2), scored("c", 5)],
        {"score": "Overall"},
        ("a", "b", 7),
    ),
    "an answer without all aspects is dropped": (
        [scored("half", 5, None), scored("a", 4), scored("b", 2)],
        {},
        ("a", "b", 2),
    ),
    "or has the mean of the rest": (
        [scored("half", 5, None), scored("a", 4), scored("b", 4)],
        {"missing_aspects": "MeanOfRest", "rejected": "Worst"},
        ("half", ..., 1),
    ),
    "only the wanted aspects count": ([scored("a", 5, 1), scored("b", 2, 5)], {"aspects": ("Truthfulness",)}, ("a", "b", 3)),
    "answers of one model": ([scored("a", 5, model="m"), scored("b", 2, model="m")], {}, ("a", "b", 3)),
    "kept ties": ([scored("a", 3), scored("b", 3)], {"ties": "Keep"}, (..., ..., 0)),
}

NO_PAIRS = {
    "no answer": ([], {}, "few_answers"),
    "one answer": ([BEST], {}, "few_answers"),
    "one answer beside an empty one": ([BEST, scored(" \n", 1)], {}, "few_answers"),
    "one scored": ([BEST, scored("half", 5, None)], {}, "unscored"),
    "none scored at all": ([scored("a", None), scored("b", None)], {"missing_aspects": "MeanOfRest"}, "unscored"),
    "no overall": ([BEST, BAD], {"score": "Overall"}, "unscored"),
    "identical": ([scored("a", 5, model="m"), scored("a", 1, model="n")], {}, "identical_answers"),
    "identical but for space": ([scored("a  b\n", 5), scored(" a b", 1)], {}, "identical_answers"),
    "a tie": ([scored("a", 3), scored("b", 3)], {}, "tie"),
    "a tie of different aspects": ([scored("a", 1, 5), scored("b", 3)], {}, "tie"),
    "the second is as good as the best": ([scored("a", 3), scored("b", 3), BAD], {"rejected": "Second"}, "tie"),
    "too small a margin": ([BEST, GOOD], {"minimum_margin": 1.5}, "small_margin"),
    "a kept tie below the margin": ([scored("a", 3), scored("b", 3)], {"ties": "Keep", "minimum_margin": 1}, "small_margin"),
}


@pytest.mark.parametrize(("answers", "changes", "wanted"), PAIRS.values(), ids=PAIRS)
def test_pairs(answers, changes, wanted):
    pair = pair_of("key", answers, settings(**changes))
    chosen, rejected, margin = wanted
    assert pair.margin == margin
    assert chosen in (..., pair.chosen.answer.text)
    assert rejected in (..., pair.rejected.answer.text)
    assert pair.chosen.answer.text != pair.rejected.answer.text


@pytest.mark.parametrize(("answers", "changes", "reason"), NO_PAIRS.values(), ids=NO_PAIRS)
def test_no_pair(answers, changes, reason):
    assert pair_of("key", answers, settings(**changes)) == reason


@pytest.mark.parametrize("rejected", ["Random", "Worst", "Second"])
@pytest.mark.parametrize("ties", ["Drop", "Keep"])
def test_the_order_of_the_answers_does_not_matter(rejected, ties):
    """Among them are equal scores and the same text of two models, about which only chance can decide."""
    answers = [BEST, scored("as good", 5), scored("bad", 1, model="other"), BAD, scored("worst as well", 1)]
    answers += [scored("bad", 0, 2), scored("bad\n", 1)]
    for key in map(str, range(20)):
        orders = random.Random(key).sample([*permutations(answers)], 100)
        found = {str(pair_of(key, order, settings(rejected=rejected, ties=ties))) for order in orders}
        assert len(found) == 1, key


def test_chance_is_fair_and_follows_the_seed():
    answers = [BEST, GOOD, FAIR, BAD]
    drawn = [pair_of(str(key), answers, DEFAULTS).rejected.answer.text for key in range(600)]
    assert {text for text in drawn if 150 < drawn.count(text) < 250} == {"good", "fair", "bad"}
    other_seed = [pair_of(str(key), answers, settings(seed=2)).rejected.answer.text for key in range(600)]
    assert drawn != other_seed
    kept = [pair_of(str(key), [scored("a", 3), scored("b", 3)], settings(ties="Keep")).chosen.answer.text for key in range(600)]
    assert 240 < kept.count("a") < 360
