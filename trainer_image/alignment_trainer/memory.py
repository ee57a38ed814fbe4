"""Says what a stage needs of its GPUs before the weights are loaded, and refuses what they cannot hold."""

import json
import sys
from pathlib import Path

import torch
from accelerate import PartialState
from alignment_api.fitting import gibibytes
from alignment_api.run_config import RunConfig
from alignment_api.shape import UnknownShape, shape_of
from alignment_api.stage_memory import stage_memory

from alignment_trainer.failures import BadConfiguration


def check(config: RunConfig, start: Path) -> None:
    """Compare the estimate for the weights in `start` with the GPU of this process."""
    if not config.compute.gpus_per_node:
        return
    state = PartialState()
    gpu = torch.cuda.get_device_properties(state.device)
    told = verdict(config, start, gpu.name, gpu.total_memory)
    if state.is_main_process:
        print(told, file=sys.stderr, flush=True)


def verdict(config: RunConfig, start: Path, gpu: str, gpu_bytes: int) -> str:
    """Say what the stage needs of such a GPU, or why nobody can tell; a GPU that cannot hold it is refused."""
    try:
        shape = shape_of(json.loads((start / "config.json").read_text()))
    except UnknownShape as error:
        return f"memory: nothing can be said of this model: {error}"
    memory = stage_memory(config.stage, config.compute, shape)
    refusal = memory.refusal(gpu, gpu_bytes)
    if refusal:
        raise BadConfiguration(f"spec.stages[{config.stage_index}].compute: {config.stage_name} {refusal}")
    parts = ", ".join(f"{name} {gibibytes(size)}" for name, size in memory.needed._asdict().items() if size)
    return f"memory: about {gibibytes(memory.needed.total)} of {gibibytes(gpu_bytes)} GiB of each {gpu} ({parts})"
