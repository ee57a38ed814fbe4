"""Which prompts are answered together."""

import pytest
from alignment_trainer.synthesis.sampling.batches import batches


@pytest.mark.parametrize(
    ("lengths", "answer", "budget", "expected"),
    [
        pytest.param({}, 4, 100, [], id="nothing"),
        pytest.param({0: 3, 1: 9, 2: 5}, 1, 30, [[1, 2, 0]], id="the longest first"),
        pytest.param({0: 5, 1: 5, 2: 5}, 5, 20, [[0, 1], [2]], id="equal ones in their order"),
        pytest.param({0: 50, 1: 2}, 5, 20, [[0], [1]], id="one that is too long for the budget is alone"),
        pytest.param({0: 2, 1: 10, 3: 4}, 2, 24, [[1, 3], [0]], id="a batch is as wide as its longest prompt and answer"),
        pytest.param({4: 1, 2: 1}, 1, 2, [[2], [4]], id="places that are not asked are in no batch"),
    ],
)
def test_batches(lengths, answer, budget, expected):
    assert batches(lengths, answer, budget) == expected


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [
        (10, [10]),
        (40, [16, 16, 8]),
        (600, [75] * 8),
        (3000, [256] * 11 + [184]),
    ],
)
def test_a_batch_has_at_most_256_rows_and_several_processes_have_some(rows, sizes):
    assert [len(batch) for batch in batches(dict.fromkeys(range(rows), 1), 1, 10**9)] == sizes
