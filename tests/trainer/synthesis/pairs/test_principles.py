"""Principles by share: what is drawn for an answer depends on the seed, the prompt and the answer's number, on nothing else."""

from collections import Counter

import pytest
from alignment_api.spec.settings.synthesis import Principles
from alignment_trainer.synthesis.pairs.principles import principle_of

ULTRAFEEDBACK = Principles(helpfulness=0.6, truthfulness=0.2, honesty=0.18, calibration=0.02)


@pytest.mark.parametrize(
    ("shares", "wanted"),
    [
        (None, {None: 1}),
        (Principles(), {None: 1}),
        (Principles(honesty=1), {"honesty": 1}),
        (Principles(helpfulness=0.3, truthfulness=0.2), {"helpfulness": 0.3, "truthfulness": 0.2, None: 0.5}),
        (ULTRAFEEDBACK, {"helpfulness": 0.6, "truthfulness": 0.2, "honesty": 0.18, "calibration": 0.02}),
    ],
)
def test_the_shares_are_kept(shares, wanted):
    drawn = [principle_of(shares, 42, f"prompt {number // 4}", number % 4) for number in range(4000)]
    counts = Counter(principle.name if principle else None for principle in drawn)
    assert counts.keys() == wanted.keys()
    assert all(abs(counts[name] / 4000 - share) < 0.03 for name, share in wanted.items())


def test_the_draw_depends_on_seed_prompt_and_sample():
    drawn = principle_of(ULTRAFEEDBACK, 42, "prompt", 1)
    assert principle_of(ULTRAFEEDBACK, 42, "prompt", 1) == drawn
    others = {
        (seed, key): tuple(principle_of(ULTRAFEEDBACK, seed, key, sample) for sample in range(16))
        for seed in (42, 43)
        for key in ("prompt", "other")
    }
    assert len(set(others.values())) == 4
