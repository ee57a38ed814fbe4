"""Estimates of GPU memory for GPUs that the tests name; no GPU is needed."""

import json

import pytest
from alignment_api.memory.fitting import GIBIBYTE
from alignment_api.memory.known_sizes import known_models
from alignment_api.memory.workload import workload_of
from alignment_api.spec.compute import Compute
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.models.loading import weights_dtype
from alignment_trainer.models.memory import verdicts
from alignment_trainer.settings.training import training_settings

MISTRAL = next(model["config"] for model in known_models() if "mistralai/Mistral-7B-v0.1" in model["names"])
SIXTEEN_BIT = {"sft__precision": "BFloat16", "dpo__precision": "BFloat16"}
LORA = {"lora": {"rank": 4}}


@pytest.fixture
def start(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(MISTRAL))
    return tmp_path


def on_gpus(trainer, root, stage="sft", **changes):
    gpus = {"compute__gpusPerNode": 2, "compute__processesPerNode": None, "compute__microBatchSize": 1}
    return trainer.config(root, stage, **{**SIXTEEN_BIT, **gpus, **changes})


def test_this_stage_and_later_ones_that_fit_have_one_line_each(workspace, trainer, start):
    config = on_gpus(trainer, workspace, sft__adapter=LORA, dpo__adapter=LORA)
    sft, dpo = verdicts(config, start, "NVIDIA L40S", 45 * GIBIBYTE)
    assert sft.startswith("memory: sft needs about 14.5 of 45.0 GiB of each NVIDIA L40S (weights 13.5, ")
    assert dpo.startswith("memory: dpo needs about 15.4 of 45.0 GiB of each NVIDIA L40S (weights 13.5, ")
    assert verdicts(on_gpus(trainer, workspace, "dpo", dpo__adapter=LORA), start, "NVIDIA L40S", 45 * GIBIBYTE) == [dpo]


@pytest.mark.parametrize(
    ("stage", "changes", "sentence"),
    [
        ("sft", {}, r"^spec.stages\[0\].compute: sft needs about .* and NVIDIA L40S has 45.0; set compute.sharding to"),
        (
            "dpo",
            {"compute__sharding": "ZeRO3"},
            r"^spec.stages\[1\].compute: dpo needs about .*; set compute.offload to Optimizer",
        ),
        ("sft", {"sft__adapter": LORA}, r"^spec.stages\[1\].compute: dpo needs about"),
    ],
    ids=["this stage", "this stage, the last", "a later stage"],
)
def test_a_stage_that_cannot_fit_is_refused(workspace, trainer, start, stage, changes, sentence):
    with pytest.raises(BadConfiguration, match=sentence):
        verdicts(on_gpus(trainer, workspace, stage, **changes), start, "NVIDIA L40S", 45 * GIBIBYTE)


def test_a_later_stage_on_other_gpus_is_left_to_its_own_pods(workspace, trainer, start):
    config = on_gpus(trainer, workspace, sft__adapter=LORA)
    config.spec.stages[1].compute = Compute(accelerator_type="NVIDIA-H200")
    (sft,) = verdicts(config, start, "NVIDIA L40S", 45 * GIBIBYTE)
    assert sft.startswith("memory: sft needs")


def test_an_unknown_family_is_never_refused(workspace, trainer, start):
    (start / "config.json").write_text(json.dumps({**MISTRAL, "model_type": "novel"}))
    assert all("needs about " in line for line in verdicts(on_gpus(trainer, workspace), start, "NVIDIA T4", 15 * GIBIBYTE))


def test_a_model_that_cannot_be_counted_has_no_estimate(workspace, trainer, start):
    (start / "config.json").write_text(json.dumps({**MISTRAL, "num_local_experts": 8}))
    (line,) = verdicts(on_gpus(trainer, workspace), start, "NVIDIA T4", 15 * GIBIBYTE)
    assert line == "memory: no estimate for this model: it is a mixture of experts, whose parts this version cannot count"


@pytest.mark.parametrize("adapter", [None, LORA], ids=["full", "lora"])
@pytest.mark.parametrize("sharding", ["None", "ZeRO2", "ZeRO3"])
@pytest.mark.parametrize("precision", ["BFloat16", "Float32"])
def test_weights_are_counted_in_the_format_they_are_loaded_in(workspace, trainer, precision, sharding, adapter):
    changes = {"sft__precision": precision, "compute__sharding": sharding, **({"sft__adapter": adapter} if adapter else {})}
    config = trainer.config(workspace, **changes)
    assert workload_of(config.stage, config.compute).weight_bytes == weights_dtype(training_settings(config)).itemsize
