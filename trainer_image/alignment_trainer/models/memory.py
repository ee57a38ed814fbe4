"""Estimates the GPU memory that a stage needs, before the weights are loaded, and refuses what cannot fit."""

import json
import sys
from pathlib import Path

import torch
from accelerate import PartialState
from alignment_api.memory.fitting import gibibytes
from alignment_api.memory.shape import ModelShape, UnknownShape, shape_of
from alignment_api.memory.stages import stage_memory
from alignment_api.run_config import RunConfig
from alignment_api.spec.compute import Compute
from alignment_api.spec.kinds import KINDS

from alignment_trainer.failures import BadConfiguration
from alignment_trainer.settings.later import with_those_building_on


def check(config: RunConfig, start: Path) -> None:
    """Compare the estimates for the model in `start` with the GPU of this process."""
    if not config.compute.gpus_per_node:
        return
    state = PartialState()
    gpu = torch.cuda.get_device_properties(state.device)
    sentences = verdicts(config, start, gpu.name, gpu.total_memory)
    if state.is_main_process:
        print("\n".join(sentences), file=sys.stderr, flush=True)


def verdicts(config: RunConfig, start: Path, gpu: str, gpu_bytes: int) -> list[str]:
    """Return what this stage and those that build on it need of a GPU, or why it is unknown; refuse what cannot fit."""
    try:
        shape = shape_of(json.loads((start / "config.json").read_text()))
    except UnknownShape as error:
        return [f"memory: no estimate for this model: {error}"]
    trained = [each for each in with_those_building_on(config) if KINDS[each.stage.kind].trains]
    same_gpu = [each for each in trained if _place(each.compute) == _place(config.compute)]
    return [_verdict(each, shape, gpu, gpu_bytes) for each in same_gpu]


def _place(compute: Compute) -> tuple[bool, str | None, dict[str, str] | None]:
    return bool(compute.gpus_per_node), compute.accelerator_type, compute.node_selector


def _verdict(config: RunConfig, shape: ModelShape, gpu: str, gpu_bytes: int) -> str:
    memory = stage_memory(config.stage, config.compute, shape)
    refusal = memory.refusal(gpu, gpu_bytes)
    if refusal:
        raise BadConfiguration(f"spec.stages[{config.stage_index}].compute: {config.stage_name} {refusal}")
    parts = ", ".join(f"{name} {gibibytes(size)}" for name, size in memory.needed._asdict().items() if size)
    total = f"{gibibytes(memory.needed.total)} of {gibibytes(gpu_bytes)} GiB"
    sampling = (
        f"; sampling its model needs {gibibytes(memory.sampling_bytes)} GiB for the weights" if memory.sampling_bytes else ""
    )
    merging = f"; merging its adapter needs {gibibytes(memory.merging_bytes)} GiB of host memory" if memory.merging_bytes else ""
    return f"memory: {config.stage_name} needs about {total} of each {gpu} ({parts}){sampling}{merging}"
