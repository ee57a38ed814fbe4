"""When a stage does not fit, and the nearest setting with which it does."""

from typing import Any

import pytest
from alignment_api.memory.estimate import Estimate, estimate
from alignment_api.memory.fitting import GIBIBYTE, advice, cannot_fit, fits, nearest_fitting
from alignment_api.memory.known_sizes import known_shape
from alignment_api.resolving.recipes import resolve
from alignment_api.spec.job import AlignmentJobSpec
from builders import a_document, a_training
from workloads import LORA, QLORA, a_workload

MISTRAL = known_shape("hf://mistralai/Mistral-7B-v0.1")
assert MISTRAL is not None


def needing(held: float, passing: float) -> Estimate:
    return Estimate(int(held * GIBIBYTE), 0, 0, int(passing * GIBIBYTE), 0, 0, 0)


@pytest.mark.parametrize(
    ("held", "passing", "is_good", "is_bad"),
    [
        (40, 30, True, False),
        (70, 4, True, False),
        (70, 6, False, False),
        (70, 12, False, False),
        (70, 13, False, True),
        (81, 0, False, True),
    ],
)
def test_near_the_limit_a_stage_is_neither_good_nor_refused(held: float, passing: float, is_good: bool, is_bad: bool) -> None:
    needed = needing(held, passing)
    assert (fits(needed, 80 * GIBIBYTE), cannot_fit(needed, 80 * GIBIBYTE)) == (is_good, is_bad)


SITUATIONS: list[tuple[str, dict[str, Any], int, str]] = [
    (
        "a smaller batch is enough",
        {"sharding": "ZeRO3", "micro_batch_size": 8, "gradient_checkpointing": False},
        80,
        "set compute.microBatchSize to ",
    ),
    (
        "no smaller batch is enough",
        {"sharding": "ZeRO3", "gradient_checkpointing": False, "max_length": 16384},
        80,
        "set compute.gradientCheckpointing to true, ",
    ),
    ("nothing is shared out yet", {}, 80, "set compute.sharding to ZeRO1, "),
    ("most is shared out", {"compares_pairs": True, "sharding": "ZeRO1"}, 30, "set compute.sharding to ZeRO3, "),
    ("a single process", {"processes": 1}, 80, "set compute.sharding to ZeRO1 and compute.offload to Optimizer, "),
    (
        "all is shared out",
        {"sharding": "ZeRO3", "processes": 2},
        24,
        "set compute.offload to Optimizer, ",
    ),
    (
        "an adapter beside whole weights",
        {"adapter": LORA, "processes": 1},
        12,
        "set compute.sharding to ZeRO3 and compute.offload",
    ),
    ("quantized already", {"adapter": QLORA, "micro_batch_size": 8, "max_length": 4096}, 15, "set compute.microBatchSize to 4, "),
    ("no way", {"max_length": 1_000_000}, 80, "no other setting makes it fit; use more or larger GPUs"),
]


@pytest.mark.parametrize(
    ("settings", "gibibytes", "advised"), [row[1:] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS]
)
def test_the_nearest_setting_is_named(settings: dict[str, Any], gibibytes: int, advised: str) -> None:
    work = a_workload(**{"processes": 8, **settings})
    assert not fits(estimate(MISTRAL, work), gibibytes * GIBIBYTE)
    assert advice(MISTRAL, work, 64, gibibytes * GIBIBYTE).startswith(advised)


@pytest.mark.parametrize("settings", [row[1] for row in SITUATIONS[:-1]], ids=[row[0] for row in SITUATIONS[:-1]])
@pytest.mark.parametrize("gibibytes", [15, 24, 40, 80])
def test_what_is_named_fits_and_divides_the_batch(settings: dict[str, Any], gibibytes: int) -> None:
    work = a_workload(**{"processes": 8, **settings})
    found = nearest_fitting(MISTRAL, work, 64, gibibytes * GIBIBYTE)
    if found is not None:
        assert fits(estimate(MISTRAL, found), gibibytes * GIBIBYTE)
        assert 64 % (found.processes * found.micro_batch_size) == 0


def test_the_adapter_that_is_advised_is_the_one_that_the_defaults_give() -> None:
    spec = a_document(stages=[{"name": "sft", "sft": a_training(adapter={"lora": {}})}])["spec"]
    (stage,) = resolve(AlignmentJobSpec.parse(spec)).spec.stages or []
    assert stage.sft is not None and stage.sft.adapter is not None and stage.sft.adapter.lora is not None
    assert stage.sft.adapter.lora.rank == LORA.rank
