"""The number of processes, accumulation and packing must not change the trained weights."""

import json
import shutil
from pathlib import Path

import pytest
from alignment_api import metrics
from safetensors.torch import load_file

ROWS_OF = {"sft": "sft.jsonl", "dpo": "preferences.jsonl"}
LEARNED = {"sft": (metrics.LOSS, metrics.EVALUATION_LOSS), "dpo": (metrics.LOSS, metrics.REWARD_MARGIN, metrics.EVALUATION_LOSS)}


SHARED_OUT = {
    "1x4, 2 times": {"compute__processesPerNode": 1},
    "2x1, 4 times": {"compute__microBatchSize": 1},
    "1x1, 8 times": {"compute__microBatchSize": 1, "compute__processesPerNode": 1},
}
PAIRS = {
    "padded": {"dpo__batching": "Padded"},
    "ZeRO-2": {"compute__sharding": "ZeRO2", "compute__microBatchSize": 1},
    "ZeRO-2, offloaded": {"compute__sharding": "ZeRO2", "compute__offload": "Optimizer", "compute__microBatchSize": 1},
    "ZeRO-3, recomputed": {"compute__sharding": "ZeRO3", "compute__microBatchSize": 1, "compute__gradientCheckpointing": True},
}


def copy_before(stage, finished, root):
    for folder in ("inputs", "job"):
        shutil.copytree(finished / folder, root / folder)
    shutil.rmtree(root / "job" / stage)


def furthest_apart(weights, others):
    assert weights.keys() == others.keys()
    return max(float((weights[name] - others[name]).abs().max()) for name in weights)


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        *(
            pytest.param(stage, changes, id=f"{stage}, {name}")
            for stage in ("sft", "dpo")
            for name, changes in SHARED_OUT.items()
        ),
        *(pytest.param("dpo", changes, id=f"dpo, {name}") for name, changes in PAIRS.items()),
    ],
)
def test_the_same_batch_on_any_number_of_processes(finished, tmp_path, trainer, stage, changes):
    copy_before(stage, finished, tmp_path)
    result = trainer.train(trainer.config(tmp_path, stage, **changes), tmp_path)
    assert result.code == 0, result.output
    for name in LEARNED[stage]:
        expected = trainer.values(finished / "job" / stage, name)
        assert trainer.values(tmp_path / "job" / stage, name) == pytest.approx(expected, rel=1e-4, abs=1e-5), name
    weights = (load_file(root / "job" / stage / "model" / "model.safetensors") for root in (tmp_path, finished))
    assert furthest_apart(*weights) < 1e-4


@pytest.mark.parametrize("kind", ["sft", "sft-packed", "dpo"])
def test_the_short_batch_at_the_end_of_an_epoch_has_each_row_once(finished, tmp_path, trainer, kind):
    stage, _, packed = kind.partition("-")
    learned, weights = [], []
    # Seven rows are left for the last batch of eight: neither two processes nor two rows at once divide them.
    for processes, micro_batch in ((2, 2), (1, 1)):
        root = tmp_path / str(processes)
        copy_before(stage, finished, root)
        changes = {
            "compute__processesPerNode": processes,
            "compute__microBatchSize": micro_batch,
            "sft__packing": bool(packed),
            f"{stage}__datasets": [{"uri": f"workspace://inputs/tiny/{ROWS_OF[stage]}", "maxExamples": 15}],
            f"{stage}__holdout": None,
            f"{stage}__optimization__globalBatchSize": 4 if packed else 8,
            f"{stage}__optimization__maxSteps": 4,
        }
        result = trainer.train(trainer.config(root, stage, **changes), root)
        assert result.code == 0, result.output
        learned.append(
            {name: trainer.values(root / "job" / stage, name) for name in (metrics.LOSS, metrics.TOKENS, metrics.GRADIENT_NORM)}
        )
        weights.append(load_file(root / "job" / stage / "model" / "model.safetensors"))
    for name, expected in learned[1].items():
        assert learned[0][name] == pytest.approx(expected, rel=1e-4, abs=1e-5), name
    assert furthest_apart(*weights) < 1e-4


@pytest.mark.parametrize(("stage", "changes"), [("sft", {}), ("dpo", {}), ("dpo", {"dpo__batching": "Padded"})])
def test_an_adapter_starts_from_the_same_random_weights_everywhere(finished, tmp_path, trainer, stage, changes):
    weights = []
    for processes, micro_batch in ((2, 2), (1, 4)):
        root = tmp_path / str(processes)
        copy_before(stage, finished, root)
        shared_out = {"compute__processesPerNode": processes, "compute__microBatchSize": micro_batch}
        adapter = {f"{stage}__adapter": {"lora": {"rank": 4}}}
        result = trainer.train(trainer.config(root, stage, **shared_out, **adapter, **changes), root)
        assert result.code == 0, result.output
        weights.append(load_file(root / "job" / stage / "model" / "model.safetensors"))
    assert furthest_apart(*weights) < 1e-4


def test_packed_rows_are_learned_as_if_each_were_alone(workspace, tmp_path, trainer):
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
        result = trainer.train(config, root)
        assert result.code == 0, result.output
        first[name] = [trainer.values(Path(config.paths.stage), metric)[1] for metric in (metrics.LOSS, metrics.GRADIENT_NORM)]
    assert first["packed"] == pytest.approx(first["alone"], rel=1e-5)
