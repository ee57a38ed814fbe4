"""Who answers a prompt: drawn without repetition, as evenly as the numbers allow, the same again for the same seed."""

from collections import Counter

import pytest
from alignment_api.spec.settings.synthesis import Principles
from alignment_trainer.synthesis.pairs.ensemble import Ensemble


def ensemble(size=17, answers=4, seed=42):
    return Ensemble(size, answers, Principles(helpfulness=0.5), seed)


@pytest.mark.parametrize(
    ("size", "answers", "times"),
    [(4, 4, {1}), (17, 4, {1}), (1, 4, {4}), (2, 4, {2}), (3, 4, {1, 2}), (3, 7, {2, 3})],
)
def test_no_model_answers_again_before_all_have_answered(size, answers, times):
    for key in map(str, range(50)):
        turns = ensemble(size, answers).turns(key)
        assert [turn.sample for turn in turns] == list(range(answers))
        assert set(Counter(turn.responder for turn in turns).values()) == times


def test_all_models_get_their_share():
    drawn = Counter(turn.responder for key in range(1000) for turn in ensemble().turns(str(key)))
    assert len(drawn) == 17
    assert all(180 < count < 290 for count in drawn.values())


def test_turns_depend_on_seed_and_prompt_only():
    """Two answers of one model have different seeds, so that they can differ."""
    assert ensemble().turns("prompt") == ensemble().turns("prompt")
    assert len({tuple(ensemble(seed=seed).turns(key)) for seed in (42, 43) for key in ("prompt", "other")}) == 4
    assert len({turn.seed for turn in ensemble(size=1, answers=8).turns("prompt")}) == 8
