"""What `alignment explain` prints about GPU memory."""

import json
from pathlib import Path
from typing import Any

import pytest
from alignment_api.memory.known_sizes import known_models
from alignment_api.memory.shape import UnknownShape
from alignment_api.resolving.validation import resolve_job
from alignment_api.spec.job import AlignmentJob
from alignment_operator.machine.memory_table import gpu_memory, lines_beside_training, memory_line, memory_table
from builders import a_job

MISTRAL = "hf://mistralai/Mistral-7B-v0.1"
CONFIG = next(model["config"] for model in known_models() if MISTRAL.removeprefix("hf://") in model["names"])


def explained(workspace: Path, uri: str = MISTRAL, **compute: Any) -> list[str]:
    job = a_job(recipe="zephyr-paper", model={"uri": uri}, stages=None, compute=compute)
    return [memory_line(memory) for memory in gpu_memory(resolve_job(job).spec, workspace)]


def a_server(model: str) -> dict[str, Any]:
    return {"baseUrl": f"http://{model}/v1", "model": model}


def a_distillation(compute: dict[str, Any] | None = None, **settings: Any) -> AlignmentJob:
    asked = {"teacher": a_server("teacher"), "prompts": [{"uri": "workspace://questions.jsonl"}]}
    optimization = {"learningRate": 5e-7, "globalBatchSize": 128, "epochs": 1}
    taught = {**asked, "maxLength": 1024, "optimization": optimization, **settings}
    return a_job(
        model={"uri": MISTRAL}, stages=[{"name": "kd", "dpoDistillation": taught}], compute={"gpusPerNode": 8, **(compute or {})}
    )


@pytest.mark.parametrize(
    ("compute", "lines"),
    [
        (
            {},
            [
                "sft: needs about 13.5 of the 80.0 GiB of NVIDIA-A100-SXM4-80GB",
                "dpo: needs about 12.2 of the 80.0 GiB of NVIDIA-A100-SXM4-80GB",
            ],
        ),
        (
            {"acceleratorType": "Tesla-T4"},
            [
                "sft: may need 13.5 of the 15.0 GiB of Tesla-T4, which is near the limit; "
                "if the memory runs out, set compute.microBatchSize to 2, with which it needs about 11.5 GiB",
                "dpo: needs about 12.2 of the 15.0 GiB of Tesla-T4",
            ],
        ),
        (
            {"acceleratorType": "NVIDIA-Next"},
            [
                "sft: needs about 13.5 GiB of each GPU; the memory of NVIDIA-Next is unknown here, so its pods check if it fits",
                "dpo: needs about 12.2 GiB of each GPU; the memory of NVIDIA-Next is unknown here, so its pods check if it fits",
            ],
        ),
        ({"gpusPerNode": 0}, []),
    ],
    ids=["it fits", "it is near the limit", "an unknown GPU", "no GPU"],
)
def test_a_line_for_each_stage(tmp_path: Path, compute: dict[str, Any], lines: list[str]) -> None:
    assert explained(tmp_path, **compute) == lines


def test_a_stage_that_cannot_fit_is_printed_with_settings_that_fit(tmp_path: Path) -> None:
    sft, _ = explained(tmp_path, acceleratorType="NVIDIA-L4", sharding="ZeRO2")
    assert sft.startswith("sft: needs about ")
    assert "NVIDIA-L4 has 22.5; set compute.sharding to ZeRO3, with which it needs about 13.5 GiB" in sft


def test_pairs_that_may_not_fit_are_only_a_warning(tmp_path: Path) -> None:
    sft, dpo = explained(tmp_path, acceleratorType="NVIDIA-L4", gradientCheckpointing=False)
    assert "NVIDIA-L4 has 22.5; set " in sft
    assert dpo.startswith("dpo: may need 3")
    assert "of the 22.5 GiB of NVIDIA-L4, which is above the limit; if the memory runs out, set compute." in dpo


def test_a_model_of_this_machine_is_read(tmp_path: Path) -> None:
    (tmp_path / "large").mkdir()
    (tmp_path / "large" / "config.json").write_text(json.dumps(CONFIG))
    assert explained(tmp_path, "workspace://large") == explained(tmp_path)


@pytest.mark.parametrize(
    ("uri", "config", "reason"),
    [
        (
            "hf://team/large",
            None,
            "hf://team/large is not among the models whose sizes are known here; the pods read its config.json",
        ),
        ("workspace://large", None, "large/config.json is not on this machine; the pods read it and check"),
        ("workspace://large", "{", "large/config.json does not contain the sizes: Expecting property name"),
        ("workspace://large", "{}", "large/config.json does not contain the sizes: its config.json has no hidden_size"),
    ],
)
def test_why_the_size_of_a_model_is_unknown(tmp_path: Path, uri: str, config: str | None, reason: str) -> None:
    if config:
        (tmp_path / "large").mkdir()
        (tmp_path / "large" / "config.json").write_text(config)
    with pytest.raises(UnknownShape, match=reason):
        explained(tmp_path, uri)


def test_every_part_is_in_the_table(tmp_path: Path) -> None:
    job = a_job(recipe="zephyr-paper", model=None, stages=None, compute={})
    table = memory_table(gpu_memory(resolve_job(job).spec, tmp_path))
    parts = ["weights", "gradients", "optimizer", "activations", "logits", "buffers", "update"]
    assert [column.header for column in table.columns] == ["GiB of each GPU", *parts, "at most"]
    assert list(table.columns[0].cells) == ["sft", "dpo"]


@pytest.mark.parametrize(
    ("recipe", "lines"),
    [
        ("zephyr-paper", []),
        ("zephyr-qlora", ["sft: merging its adapter needs 0.9 GiB of host memory, layer by layer"]),
    ],
)
def test_what_merging_needs_of_the_host(tmp_path: Path, recipe: str, lines: list[str]) -> None:
    job = a_job(recipe=recipe, model={"uri": MISTRAL}, stages=None, compute={})
    assert list(lines_beside_training(gpu_memory(resolve_job(job).spec, tmp_path)[0])) == lines


ADAPTED = {"adapter": {"quantization": "NF4", "lora": {"rank": 16}}}
SAMPLED = "kd: sampling its model needs {} GiB of each GPU for the weights, and up to a quarter of the GPU for answers"


@pytest.mark.parametrize(
    ("settings", "lines"),
    [
        ({}, [SAMPLED.format("13.5")]),
        ({"precision": "Float32"}, [SAMPLED.format("27.0")]),
        (ADAPTED, [SAMPLED.format("3.8"), "kd: merging its adapter needs 0.9 GiB of host memory, layer by layer"]),
        ({"student": a_server("student")}, []),
    ],
)
def test_what_sampling_needs_of_each_gpu(tmp_path: Path, settings: dict[str, Any], lines: list[str]) -> None:
    assert list(lines_beside_training(gpu_memory(resolve_job(a_distillation(**settings)).spec, tmp_path)[0])) == lines


def test_a_model_that_no_gpu_holds_whole_cannot_be_sampled(tmp_path: Path) -> None:
    compute = {"acceleratorType": "NVIDIA-L4", "sharding": "ZeRO3", "gpusPerNode": 8, "nodes": 4}
    (memory,) = gpu_memory(resolve_job(a_distillation(compute, precision="Float32")).spec, tmp_path)
    assert memory_line(memory) == (
        "kd: samples its model, whose weights take 27.0 GiB of each GPU, and NVIDIA-L4 has 22.5; "
        "use larger GPUs, or name a server of the model as student"
    )
    (memory,) = gpu_memory(resolve_job(a_distillation(compute)).spec, tmp_path)
    assert memory_line(memory).startswith("kd: needs about ")
