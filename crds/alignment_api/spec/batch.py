"""How the user's global batch is reached on the processes there are."""

from alignment_api.spec.compute import Compute


class ImpossibleBatch(ValueError):
    """The global batch cannot be divided among the processes."""


def processes_per_node(compute: Compute) -> int:
    """Count the processes of one pod: one per GPU, or what is asked for on CPUs."""
    return compute.gpus_per_node or compute.processes_per_node or 1


def world_size(compute: Compute) -> int:
    """Count the processes of a stage."""
    return (compute.nodes or 1) * processes_per_node(compute)


def pair_tokens(micro_batch_size: int, max_length: int) -> int:
    """Say how many tokens of packed pairs one forward takes at most: as many as both answers of full pairs have side by side."""
    return micro_batch_size * 2 * max_length


def accumulation_steps(global_batch_size: int, compute: Compute) -> int:
    """Derive how many micro-batches each process sees per optimizer step."""
    processes, micro = world_size(compute), compute.micro_batch_size or 1
    together = processes * micro
    if global_batch_size % together == 0:
        return global_batch_size // together
    below = global_batch_size // together * together
    nearest = " or ".join(str(size) for size in (below, below + together) if size)
    raise ImpossibleBatch(
        f"{global_batch_size} cannot be divided among {processes} process{'es' if processes > 1 else ''} "
        f"with micro-batches of {micro}: it must be a multiple of {together}; the nearest possible values are {nearest}"
        if below
        else f"{global_batch_size} is too small for {processes} process{'es' if processes > 1 else ''} "
        f"with micro-batches of {micro}: it must be a multiple of {together}, at least {together}"
    )
