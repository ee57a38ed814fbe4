"""Shows what a job's stages need of each GPU's memory, or why that cannot be known."""

import json
from pathlib import Path

from alignment_api.memory.estimate import Estimate
from alignment_api.memory.fitting import fits, gibibytes
from alignment_api.memory.known_sizes import known_base_shape
from alignment_api.memory.shape import ModelShape, UnknownShape, shape_of
from alignment_api.memory.stages import StageMemory, stage_memory
from alignment_api.names import WORKSPACE_PREFIX
from alignment_api.spec.job import AlignmentJobSpec
from rich.table import Table


def gpu_memory(spec: AlignmentJobSpec, workspace: Path) -> list[StageMemory]:
    """Estimate the training stages that run on GPUs."""
    stages = [(stage, spec.compute_of(stage)) for stage in spec.stages or [] if stage.training]
    on_gpus = [(stage, compute) for stage, compute in stages if compute.gpus_per_node]
    if not on_gpus:
        return []
    shape = _model_shape(spec, workspace)
    return [stage_memory(stage, compute, shape) for stage, compute in on_gpus]


def memory_table(memories: list[StageMemory]) -> Table:
    """Table every part, in GiB of one GPU; the update comes after activations, logits and buffers are gone."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("GiB of each GPU", *Estimate._fields, "at most"):
        table.add_column(column, justify="left" if column == "GiB of each GPU" else "right")
    for memory in memories:
        table.add_row(memory.stage.name, *map(gibibytes, (*memory.needed, memory.needed.total)))
    return table


def memory_line(memory: StageMemory) -> str:
    """Say whether a stage fits into the GPU that the job asks for."""
    name, product, total = memory.stage.name, memory.compute.accelerator_type, gibibytes(memory.needed.total)
    if product is None:
        return f"{name}: needs about {total} GiB of each GPU; whether it fits is told where compute.acceleratorType names the GPU"
    if memory.gpu_bytes is None:
        return f"{name}: needs about {total} GiB of each GPU; how much {product} has is not known here, its pods will say"
    refusal = memory.refusal(product, memory.gpu_bytes)
    if refusal:
        return f"{name}: {refusal}"
    has = f"{total} of the {gibibytes(memory.gpu_bytes)} GiB of {product}"
    if fits(memory.needed, memory.gpu_bytes):
        return f"{name}: needs about {has}"
    limit = "near" if memory.needed.total <= memory.gpu_bytes else "above"
    return f"{name}: may need {has}, which is {limit} the limit; if the memory runs out, {memory.advice(memory.gpu_bytes)}"


def host_line(memory: StageMemory) -> str | None:
    """Say what merging an adapter takes of the host's memory; None where the stage trains none."""
    if not memory.merging_bytes:
        return None
    size = gibibytes(memory.merging_bytes)
    return f"{memory.stage.name}: merging its adapter takes {size} GiB of the host's memory, layer by layer"


def _model_shape(spec: AlignmentJobSpec, workspace: Path) -> ModelShape:
    """Look the model up, or read its config.json where the workspace of this machine has it."""
    known = known_base_shape(spec)
    if known:
        return known
    uri = (spec.model.uri if spec.model else None) or ""
    file = workspace / uri.removeprefix(WORKSPACE_PREFIX) / "config.json"
    if not uri.startswith(WORKSPACE_PREFIX):
        raise UnknownShape(f"{uri} is none of the models whose sizes are known here; its pods will read them and say")
    if not file.exists():
        raise UnknownShape(f"{file} is not on this machine; the pods will read it and say")
    try:
        return shape_of(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UnknownShape(f"{file} does not say it: {error}") from error
