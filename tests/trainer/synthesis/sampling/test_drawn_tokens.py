"""How tokens are drawn."""

import numpy
import pytest
import torch
from alignment_trainer.endpoints.question import SamplingSettings
from alignment_trainer.synthesis.sampling.drawn_tokens import drawing

PROBABILITIES = torch.tensor([0.5, 0.3, 0.15, 0.05])


def drawn(seeds, step=0, temperature=1.0, top_p=1.0):
    processors = drawing(seeds, 2, SamplingSettings(temperature, top_p, maximum_tokens=4))
    ids = torch.zeros((len(seeds), 2 + step), dtype=torch.long)
    scores = processors(ids, PROBABILITIES.log().repeat(len(seeds), 1))
    assert (scores.isfinite().sum(dim=1) == 1).all()
    return scores.argmax(dim=1).tolist()


@pytest.mark.parametrize(
    ("temperature", "top_p", "expected"),
    [
        (1.0, 1.0, PROBABILITIES.tolist()),
        (1.0, 0.8, [0.625, 0.375, 0, 0]),
        (0.5, 1.0, [0.6849, 0.2466, 0.0616, 0.0068]),
        (1.0, 0.01, [1, 0, 0, 0]),
    ],
)
def test_tokens_are_drawn_by_their_probability(temperature, top_p, expected):
    counts = numpy.bincount(drawn(range(4000), temperature=temperature, top_p=top_p), minlength=4) / 4000
    assert counts == pytest.approx(expected, abs=0.025)


def test_a_row_draws_the_same_beside_other_rows():
    seeds = list(range(50))
    for step in range(4):
        assert drawn(seeds, step) == [drawn([seed], step)[0] for seed in seeds]


def test_each_token_has_a_number_of_its_own():
    assert len({tuple(drawn(range(20), step)) for step in range(4)}) == 4


def test_the_likeliest_token_needs_no_drawing():
    assert drawing([1], 2, SamplingSettings(0, 0.5, 4)) is None
