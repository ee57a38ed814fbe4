"""Shows how much GPU memory each stage of a job needs, or why that is unknown."""

import json
from collections.abc import Iterator
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
    """Estimate the memory of each training stage that runs on GPUs."""
    stages = [(stage, spec.compute_of(stage)) for stage in spec.stages or [] if stage.training]
    on_gpus = [(stage, compute) for stage, compute in stages if compute.gpus_per_node]
    if not on_gpus:
        return []
    shape = _model_shape(spec, workspace)
    return [stage_memory(stage, compute, shape) for stage, compute in on_gpus]


def memory_table(memories: list[StageMemory]) -> Table:
    """Return a table of the parts in GiB per GPU; "at most" is less than their sum, since some are freed before the update."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("GiB of each GPU", *Estimate._fields, "at most"):
        table.add_column(column, justify="left" if column == "GiB of each GPU" else "right")
    for memory in memories:
        table.add_row(memory.stage.name, *map(gibibytes, (*memory.needed, memory.needed.total)))
    return table


def memory_line(memory: StageMemory) -> str:
    """Return a sentence that says whether a stage fits on the GPU that the job asks for."""
    name, product, total = memory.stage.name, memory.compute.accelerator_type, gibibytes(memory.needed.total)
    if product is None:
        return f"{name}: needs about {total} GiB of each GPU; set compute.acceleratorType to check whether it fits"
    if memory.gpu_bytes is None:
        return (
            f"{name}: needs about {total} GiB of each GPU; the memory of {product} is unknown here, so its pods check if it fits"
        )
    refusal = memory.refusal(product, memory.gpu_bytes)
    if refusal:
        return f"{name}: {refusal}"
    has = f"{total} of the {gibibytes(memory.gpu_bytes)} GiB of {product}"
    if fits(memory.needed, memory.gpu_bytes):
        return f"{name}: needs about {has}"
    limit = "near" if memory.needed.total <= memory.gpu_bytes else "above"
    return f"{name}: may need {has}, which is {limit} the limit; if the memory runs out, {memory.advice(memory.gpu_bytes)}"


def lines_beside_training(memory: StageMemory) -> Iterator[str]:
    """Yield what a stage needs before and after its training, where it samples its model or merges an adapter."""
    name = memory.stage.name
    if memory.sampling_bytes:
        weights = f"{gibibytes(memory.sampling_bytes)} GiB of each GPU for the weights"
        yield f"{name}: sampling its model needs {weights}, and up to a quarter of the GPU for answers"
    if memory.merging_bytes:
        yield f"{name}: merging its adapter needs {gibibytes(memory.merging_bytes)} GiB of host memory, layer by layer"


def _model_shape(spec: AlignmentJobSpec, workspace: Path) -> ModelShape:
    """Look up the model's sizes, or read its config.json from the workspace of this machine."""
    known = known_base_shape(spec)
    if known:
        return known
    uri = (spec.model.uri if spec.model else None) or ""
    file = workspace / uri.removeprefix(WORKSPACE_PREFIX) / "config.json"
    if not uri.startswith(WORKSPACE_PREFIX):
        raise UnknownShape(f"{uri} is not among the models whose sizes are known here; the pods read its config.json and check")
    if not file.exists():
        raise UnknownShape(f"{file} is not on this machine; the pods read it and check")
    try:
        return shape_of(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise UnknownShape(f"{file} does not contain the sizes: {error}") from error
