"""The packing of a step: each pair once, all processes equally often, within the token limit, in few forwards."""

import random

import pytest
from alignment_trainer.preference.plan import plan


def planned(rows, tokens, most_tokens, processes):
    return [plan(rows, tokens, most_tokens, process, processes) for process in range(processes)]


def lengths(kind, count, seed):
    generator = random.Random(seed)
    draw = {
        "even": lambda: generator.randint(20, 200),
        "long tail": lambda: min(1000, int(generator.lognormvariate(4.5, 0.8)) + 2),
        "alike": lambda: 150,
        "of two kinds": lambda: generator.choice([20, 900]),
    }[kind]
    return [draw() for _ in range(count)]


KINDS = ["even", "long tail", "alike", "of two kinds"]
SITUATIONS = [
    (kind, count, most_tokens, processes)
    for kind in KINDS
    for count in (1, 3, 16, 61, 256)
    for most_tokens in (100, 1024, 4096)
    for processes in (1, 2, 5, 16)
]


@pytest.mark.parametrize("kind", KINDS)
def test_each_pair_counts_once_and_all_processes_take_part(kind):
    for of_kind, count, most_tokens, processes in SITUATIONS:
        if of_kind != kind:
            continue
        tokens = lengths(kind, 2 * count, seed=count)
        rows = random.Random(1).sample(range(2 * count), count)
        taken = planned(rows, tokens, most_tokens, processes)
        assert sorted(row for mine in taken for entry in mine if entry.counts for row in entry.rows) == sorted(rows)
        assert len({len(mine) for mine in taken}) == 1
        for entry in (entry for mine in taken for entry in mine):
            assert len(entry.rows) == 1 or sum(tokens[row] for row in entry.rows) <= most_tokens
            # Only who has nothing to do keeps the others company, and with as little as there is.
            assert entry.counts or tokens[entry.rows[0]] == min(tokens[row] for row in rows)
        assert all(entry.counts for mine in taken for entry in mine[:-1]), "company is kept at the end alone"


def best_fit(tokens, most_tokens):
    """Count the bins if each pair, longest first, goes into the fullest bin that has room."""
    filled = []
    for length in sorted(tokens, reverse=True):
        fitting = [number for number, already in enumerate(filled) if already + length <= most_tokens]
        if fitting:
            filled[max(fitting, key=filled.__getitem__)] += length
        else:
            filled.append(length)
    return len(filled)


@pytest.mark.parametrize("kind", KINDS)
def test_no_more_forwards_than_best_fit_needs(kind):
    for of_kind, count, most_tokens, processes in SITUATIONS:
        if of_kind != kind:
            continue
        tokens = lengths(kind, count, seed=count)
        rounds = len(plan(range(count), tokens, most_tokens, 0, processes))
        assert rounds == -(-best_fit(tokens, most_tokens) // processes), (count, most_tokens, processes)
        assert rounds <= -(-count // processes), "no round is company alone"
        if most_tokens >= 4 * max(tokens):
            # Of the room of a round, no more than a quarter is lost to what does not fit.
            assert rounds <= -(-sum(tokens) * 4 // (3 * most_tokens * processes)), (count, most_tokens, processes)


def test_processes_that_wait_for_each_other_have_equal_work():
    tokens = lengths("long tail", 512, seed=3)
    taken = planned(range(512), tokens, 4096, 4)
    for together in zip(*taken, strict=True):
        filled = [sum(tokens[row] for row in entry.rows) for entry in together]
        assert max(filled) <= 1.1 * min(filled)


@pytest.mark.parametrize(
    ("tokens", "most_tokens", "processes", "rounds"),
    [
        pytest.param([5, 4, 3, 2], 7, 1, [[([0, 3], True)], [([1, 2], True)]], id="two and two"),
        pytest.param([9, 1], 4, 1, [[([0], True)], [([1], True)]], id="one is larger than allowed"),
        pytest.param([9, 1], 10, 1, [[([0, 1], True)]], id="all at once"),
        pytest.param([3, 2], 100, 4, [[([0], True), ([1], True), ([1], False), ([1], False)]], id="fewer pairs than processes"),
        pytest.param([4, 4, 4], 4, 2, [[([0], True), ([1], True)], [([2], True), ([0], False)]], id="an odd one"),
    ],
)
def test_small_plans(tokens, most_tokens, processes, rounds):
    taken = planned(range(len(tokens)), tokens, most_tokens, processes)
    assert [[(entry.rows, entry.counts) for entry in together] for together in zip(*taken, strict=True)] == rounds


def test_the_order_of_rows_has_no_effect():
    tokens = lengths("of two kinds", 64, seed=5)
    shuffled = random.Random(2).sample(range(64), 64)
    assert planned(shuffled, tokens, 1024, 3) == planned(range(64), tokens, 1024, 3)
