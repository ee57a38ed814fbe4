import pytest
from alignment_api.spec.data import Dataset, Holdout
from alignment_trainer.data.mixture import ImpossibleHoldout, draw, used_rows


def dataset(**settings: object) -> Dataset:
    return Dataset.model_validate({"uri": "workspace://rows.jsonl", **settings})


@pytest.mark.parametrize(
    ("settings", "available", "used"),
    [
        ({}, 100, 100),
        ({"fraction": 0.25}, 100, 25),
        ({"fraction": 0.296}, 100, 30),
        ({"fraction": 0.001}, 100, 1),
        ({"max_examples": 30}, 100, 30),
        ({"max_examples": 300}, 100, 100),
        ({"fraction": 0.5, "max_examples": 30}, 100, 30),
        ({"fraction": 0.25, "max_examples": 50}, 100, 25),
        ({"fraction": 0.1, "max_examples": 30}, 100, 10),
    ],
)
def test_rows_used(settings, available, used):
    assert used_rows(dataset(**settings), available) == used


@pytest.mark.parametrize(
    ("sizes", "holdout", "held_out"),
    [
        ([100, 10], None, [0, 0]),
        ([100, 10], {"fraction": 0.1}, [10, 1]),
        ([100, 4], {"fraction": 0.01}, [1, 1]),
        ([300, 100], {"examples": 8}, [6, 2]),
        ([100, 100, 100], {"examples": 8}, [3, 3, 2]),
        ([100], {"datasets": [{"uri": "workspace://other.jsonl"}]}, [0]),
    ],
)
def test_rows_held_out_of_each_dataset(sizes, holdout, held_out):
    draws = draw([dataset() for _ in sizes], sizes, Holdout.model_validate(holdout) if holdout else None, seed=1)
    assert [len(drawn.held_out) for drawn in draws] == held_out
    for size, drawn in zip(sizes, draws, strict=True):
        assert sorted([*drawn.train, *drawn.held_out]) == list(range(size))


def test_same_seed_draws_alike_and_another_seed_differently():
    def drawn(seed):
        return draw([dataset(fraction=0.3), dataset(max_examples=20)], [100, 100], Holdout(fraction=0.1), seed)

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    first, second = drawn(1)
    assert first.train != second.train


def test_holding_out_everything_is_refused():
    with pytest.raises(ImpossibleHoldout, match="3 of 3"):
        draw([dataset()], [3], Holdout(examples=3), seed=1)
