"""What must not change what is learned: how many processes share the batch, how it is accumulated, how rows are packed."""

import json
import shutil

import pytest
from alignment_api import metrics
from safetensors.torch import load_file

LEARNED = {"sft": (metrics.LOSS, metrics.EVALUATION_LOSS), "dpo": (metrics.LOSS, metrics.REWARD_MARGIN, metrics.EVALUATION_LOSS)}


@pytest.mark.parametrize("stage", ["sft", "dpo"])
@pytest.mark.parametrize(
    "compute",
    [
        {"compute__processesPerNode": 1},
        {"compute__microBatchSize": 1},
        {"compute__microBatchSize": 1, "compute__processesPerNode": 1},
    ],
    ids=["1x4, 2 times", "2x1, 4 times", "1x1, 8 times"],
)
def test_the_same_batch_however_it_is_shared_out(finished, tmp_path, trainer, stage, compute):
    for folder in ("inputs", "job"):
        shutil.copytree(finished / folder, tmp_path / folder)
    shutil.rmtree(tmp_path / "job" / stage)
    attempt = trainer.attempt(trainer.config(tmp_path, stage, **compute), tmp_path)
    result = attempt.wait()
    assert result.code == 0, result.output
    for name in LEARNED[stage]:
        expected = trainer.values(finished / "job" / stage, name)
        assert trainer.values(attempt.stage, name) == pytest.approx(expected, rel=1e-4, abs=1e-5), name
    weights, expected = (load_file(root / "job" / stage / "model" / "model.safetensors") for root in (tmp_path, finished))
    assert weights.keys() == expected.keys()
    furthest = max(float((weights[name] - expected[name]).abs().max()) for name in weights)
    assert furthest < 1e-4


def test_packed_rows_are_learned_as_if_each_stood_alone(workspace, tmp_path, trainer):
    rows = (workspace / "inputs" / "tiny" / "sft.jsonl").read_text().splitlines()[:4]
    first = {}
    for name, packing, rows_per_step in (("packed", True, 1), ("alone", False, 4)):
        root = tmp_path / name
        shutil.copytree(workspace / "inputs", root / "inputs")
        (root / "inputs" / "tiny" / "sft.jsonl").write_text("".join(f"{json.dumps(json.loads(row))}\n" for row in rows))
        config = trainer.config(
            root,
            sft__holdout=None,
            sft__packing=packing,
            sft__maxLength=256,
            sft__optimization={"learningRate": 1e-3, "maxSteps": 1, "globalBatchSize": rows_per_step},
            compute__processesPerNode=1,
            compute__microBatchSize=rows_per_step,
        )
        attempt = trainer.attempt(config, root)
        result = attempt.wait()
        assert result.code == 0, result.output
        first[name] = [trainer.values(attempt.stage, metric)[1] for metric in (metrics.LOSS, metrics.GRADIENT_NORM)]
    assert first["packed"] == pytest.approx(first["alone"], rel=1e-5)
