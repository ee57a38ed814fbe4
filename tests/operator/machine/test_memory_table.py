"""What `alignment explain` prints about GPU memory."""

import json
from pathlib import Path
from typing import Any

import pytest
from alignment_api.memory.known_sizes import known_models
from alignment_api.memory.shape import UnknownShape
from alignment_api.resolving.validation import resolve_job
from alignment_operator.machine.memory_table import gpu_memory, host_line, memory_line, memory_table
from builders import a_job

MISTRAL = "hf://mistralai/Mistral-7B-v0.1"
CONFIG = next(model["config"] for model in known_models() if MISTRAL.removeprefix("hf://") in model["names"])


def explained(workspace: Path, uri: str = MISTRAL, **compute: Any) -> list[str]:
    job = a_job(recipe="zephyr-paper", model={"uri": uri}, stages=None, compute=compute)
    return [memory_line(memory) for memory in gpu_memory(resolve_job(job).spec, workspace)]


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
    ("recipe", "line"),
    [
        ("zephyr-paper", None),
        ("zephyr-qlora", "sft: merging its adapter needs 0.9 GiB of host memory, layer by layer"),
    ],
)
def test_the_host_memory_that_merging_needs(tmp_path: Path, recipe: str, line: str | None) -> None:
    job = a_job(recipe=recipe, model={"uri": MISTRAL}, stages=None, compute={})
    assert host_line(gpu_memory(resolve_job(job).spec, tmp_path)[0]) == line
