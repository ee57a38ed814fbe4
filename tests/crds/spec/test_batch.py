"""Which global batches the processes can divide."""

import pytest
from alignment_api.spec.batch import ImpossibleBatch, check_batch, world_size
from alignment_api.spec.compute import Compute


@pytest.mark.parametrize(
    ("compute", "processes"),
    [
        (Compute(), 1),
        (Compute(nodes=2, gpus_per_node=8), 16),
        (Compute(nodes=2, gpus_per_node=0), 2),
        (Compute(nodes=2, gpus_per_node=0, processes_per_node=3), 6),
        (Compute(gpus_per_node=4, processes_per_node=9), 4),
    ],
)
def test_processes(compute: Compute, processes: int) -> None:
    assert world_size(compute) == processes


@pytest.mark.parametrize(("size", "micro"), [(512, 4), (16, 1), (32, 2), (64, 1)])
def test_a_batch_that_micro_batches_divide_is_possible(size: int, micro: int) -> None:
    check_batch(size, Compute(nodes=2, gpus_per_node=8, micro_batch_size=micro))


@pytest.mark.parametrize(("size", "nearest"), [(100, "96 or 112"), (17, "16 or 32"), (15, "at least 16")])
def test_an_impossible_batch_names_the_nearest_possible(size: int, nearest: str) -> None:
    with pytest.raises(ImpossibleBatch, match=nearest):
        check_batch(size, Compute(nodes=2, gpus_per_node=8))


def test_packed_pairs_are_divided_among_processes_alone() -> None:
    compute = Compute(nodes=1, gpus_per_node=8, micro_batch_size=3)
    check_batch(16, compute, packs_pairs=True)
    with pytest.raises(ImpossibleBatch, match="must be a multiple of 24"):
        check_batch(16, compute)
    with pytest.raises(ImpossibleBatch, match=r"^17 cannot be divided among 8 processes: it must be a multiple of 8;"):
        check_batch(17, compute, packs_pairs=True)
