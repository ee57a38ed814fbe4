"""Draws which rows of each dataset are trained on and which are held out, from counts and a seed."""

import random
from collections.abc import Sequence
from typing import NamedTuple

from alignment_api.spec.data import Dataset, Holdout


class ImpossibleHoldout(ValueError):
    """The holdout leaves no row of a dataset to train on."""


class Draw(NamedTuple):
    """Rows of one dataset, by their positions."""

    train: list[int]
    held_out: list[int]


def draw(datasets: Sequence[Dataset], available: Sequence[int], holdout: Holdout | None, seed: int) -> list[Draw]:
    """Draw each dataset's rows, and hold some of them out before the datasets are merged."""
    used = [used_rows(dataset, count) for dataset, count in zip(datasets, available, strict=True)]
    kept_out = _held_out(used, holdout)
    draws = []
    for index, count in enumerate(available):
        order = list(range(count))
        random.Random(f"{seed}/{index}").shuffle(order)
        chosen = order[: used[index]]
        draws.append(Draw(train=sorted(chosen[kept_out[index] :]), held_out=sorted(chosen[: kept_out[index]])))
    return draws


def used_rows(dataset: Dataset, available: int) -> int:
    """Return how many rows of a dataset are used."""
    share = max(1, round(available * dataset.fraction)) if dataset.fraction else available
    return min(available, share, dataset.max_examples or available)


def _held_out(used: list[int], holdout: Holdout | None) -> list[int]:
    if holdout is None or holdout.datasets:
        return [0] * len(used)
    if holdout.fraction:
        counts = [max(1, round(count * holdout.fraction)) for count in used]
    else:
        counts = _shared_by_size(holdout.examples or 0, used)
    for count, kept_out in zip(used, counts, strict=True):
        if kept_out >= count:
            raise ImpossibleHoldout(f"would keep {kept_out} of {count} rows out of training; hold out fewer, or add rows")
    return counts


def _shared_by_size(total: int, sizes: list[int]) -> list[int]:
    """Divide a number in proportion to the sizes; the remainder goes to the largest fractions."""
    exact = [total * size / sum(sizes) for size in sizes]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(len(sizes)), key=lambda index: (counts[index] - exact[index], index))
    for index in by_remainder[: total - sum(counts)]:
        counts[index] += 1
    return counts
