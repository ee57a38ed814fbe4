"""Whether a stage fits into its GPUs, and the nearest settings with which it does; pure."""

from collections.abc import Iterator
from itertools import product

from alignment_api.memory.estimate import Estimate, estimate
from alignment_api.memory.shape import ModelShape
from alignment_api.memory.workload import AdapterSize, Workload
from alignment_api.spec.combinations import impossible_combination

GIBIBYTE = 2**30

# CUDA's context, its kernels and NCCL's channels take almost a GiB before the first tensor.
_CONTEXT_BYTES = GIBIBYTE
# torch's allocator loses some memory to fragmentation.
_USABLE_SHARE = 0.95
# The passing memory is counted as if all parts were needed at once; the real peak may be a fifth lower.
_CERTAIN_SHARE = 0.8

_SHARDINGS = ("None", "ZeRO1", "ZeRO2", "ZeRO3")
_OFFLOADS = ("None", "Optimizer", "OptimizerAndParameters")
# The adapter of the defaults.
_ADAPTER = AdapterSize(rank=16, layers=None, drops=False, is_quantized=False)


def fits(needed: Estimate, memory_bytes: int) -> bool:
    """Return whether the estimate fits, with room for what it does not count."""
    return needed.total + _CONTEXT_BYTES <= memory_bytes * _USABLE_SHARE


def cannot_fit(least: Estimate, memory_bytes: int) -> bool:
    """Return whether not even the certain part of the estimate fits."""
    return least.held + least.passing * _CERTAIN_SHARE > memory_bytes


def least_estimate(shape: ModelShape, work: Workload) -> Estimate:
    """Estimate the least that any data needs: packed rows are full, but all other rows may be short."""
    return estimate(shape, work if work.packs else work._replace(max_length=1))


def advice(shape: ModelShape, work: Workload, global_batch_size: int, memory_bytes: int) -> str:
    """Return in a clause the smallest change of settings with which the stage fits."""
    found = nearest_fitting(shape, work, global_batch_size, memory_bytes)
    if found is None:
        return "no other setting makes it fit; use more or larger GPUs, a smaller model or a shorter maxLength"
    changes = _changes(work, found)
    listed = f"{', '.join(changes[:-1])} and {changes[-1]}" if len(changes) > 1 else changes[0]
    return f"set {listed}, with which it needs about {gibibytes(estimate(shape, found).total)} GiB"


def nearest_fitting(shape: ModelShape, work: Workload, global_batch_size: int, memory_bytes: int) -> Workload | None:
    """Find the first change with which the stage fits; changes of what is learned come last."""
    return next((other for other in _alternatives(work, global_batch_size) if fits(estimate(shape, other), memory_bytes)), None)


def gibibytes(size: int) -> str:
    """Return a size in GiB as people read it."""
    return f"{size / GIBIBYTE:.1f}"


def _alternatives(work: Workload, global_batch_size: int) -> Iterator[Workload]:
    """Yield other settings; those that people would rather keep change last."""
    for adapter, offload, sharding, checkpointing, micro in product(
        _adapters(work),
        _from(_OFFLOADS, work.offload),
        _from(_SHARDINGS, work.sharding),
        sorted({work.gradient_checkpointing, True}),
        _smaller_batches(work, global_batch_size),
    ):
        other = work._replace(
            adapter=adapter, offload=offload, sharding=sharding, gradient_checkpointing=checkpointing, micro_batch_size=micro
        )
        quantized = adapter is not None and adapter.is_quantized
        if impossible_combination(sharding, offload, is_quantized=quantized) is None:
            yield other


def _adapters(work: Workload) -> list[AdapterSize | None]:
    beside = work.adapter or _ADAPTER
    return list(dict.fromkeys([work.adapter, beside, beside._replace(is_quantized=True)]))


def _from(values: tuple[str, ...], present: str) -> tuple[str, ...]:
    return values[values.index(present) :]


def _smaller_batches(work: Workload, global_batch_size: int) -> list[int]:
    return [size for size in range(work.micro_batch_size, 0, -1) if global_batch_size % (work.processes * size) == 0]


def _changes(before: Workload, after: Workload) -> list[str]:
    changes = []
    if after.micro_batch_size != before.micro_batch_size:
        changes.append(f"compute.microBatchSize to {after.micro_batch_size}")
    if after.gradient_checkpointing != before.gradient_checkpointing:
        changes.append("compute.gradientCheckpointing to true")
    if after.sharding != before.sharding:
        changes.append(f"compute.sharding to {after.sharding}")
    if after.offload != before.offload:
        changes.append(f"compute.offload to {after.offload}")
    if after.adapter != before.adapter and after.adapter is not None:
        lora = "" if before.adapter else "lora: {}"
        quantization = "quantization: NF4" if after.adapter.is_quantized else ""
        changes.append(f"adapter to {{{', '.join(filter(None, (lora, quantization)))}}}")
    return changes
