"""Means do not depend on the number of processes or on how rows are batched."""

import shutil

import pytest
from alignment_api import metrics

ROWS = 7
"""An odd number, divisible neither by two processes nor by batches of two."""


@pytest.fixture(scope="module", params=["sft", "sft-packed", "dpo"])
def measured(request, finished, tmp_path_factory, trainer):
    """The same two steps on two processes with batches of two, and on one process row by row."""
    stage, _, packed = request.param.partition("-")
    found = []
    for processes, micro_batch in ((2, 2), (1, 1)):
        root = tmp_path_factory.mktemp("way")
        for folder in ("inputs", "job"):
            shutil.copytree(finished / folder, root / folder)
        shutil.rmtree(root / "job" / stage)
        changes = {
            "compute__processesPerNode": processes,
            "compute__microBatchSize": micro_batch,
            "sft__packing": bool(packed),
            f"{stage}__holdout": {"examples": ROWS},
            f"{stage}__optimization__maxSteps": 2,
            f"{stage}__evaluation": {"everySteps": 1},
        }
        result = trainer.train(trainer.config(root, stage, **changes), root)
        assert result.code == 0, result.output
        points = trainer.points(root / "job" / stage)
        found.append({(point["step"], name): value for point in points for name, value in point["metrics"].items()})
    return found


def means(found):
    of_the_machine = ("progress/", "train/memory/", "train/tokens_per_second", "train/pairs_per_second")
    return {key: value for key, value in found.items() if not key[1].startswith(of_the_machine)}


def test_two_processes_measure_the_same_as_one_row_by_row(measured):
    expected, found = (means(way) for way in measured)
    assert found.keys() == expected.keys()
    assert (0, metrics.EVALUATION_LOSS) in found and (1, metrics.LOSS) in found
    assert found == {key: pytest.approx(value, rel=1e-6, abs=1e-6) for key, value in expected.items()}
