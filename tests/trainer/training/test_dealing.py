import pytest
from alignment_trainer.training.dealing import deal, order


@pytest.mark.parametrize(
    ("rows", "batch", "processes"),
    [(7, 2, 2), (7, 2, 1), (8, 2, 2), (1, 4, 3), (3, 4, 2), (100, 8, 16), (127, 8, 16), (5, 1, 5), (0, 2, 2)],
)
def test_each_row_counts_once_and_all_processes_take_equally_many_turns(rows, batch, processes):
    taken = [deal(range(rows), batch, process, processes) for process in range(processes)]
    assert sorted(row for mine in taken for entry in mine if entry.counts for row in entry.rows) == list(range(rows))
    for together in zip(*taken, strict=True):
        # TRL gathers the results of all processes, which must have equally many rows.
        assert len({len(entry.rows) for entry in together}) == 1
        assert all(len(entry.rows) <= batch for entry in together)


def test_a_remainder_costs_two_turns():
    assert len(deal(range(127), 8, 0, 16)) == 2
    assert len(deal(range(255), 8, 0, 16)) == 3


def test_each_epoch_has_its_own_order():
    orders = [order(50, 7, epoch) for epoch in range(3)]
    assert all(sorted(rows) == list(range(50)) for rows in orders)
    assert orders[0] != orders[1] != orders[2]
    assert order(50, 7, 1) == orders[1] != order(50, 8, 1)
