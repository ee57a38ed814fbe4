"""How a stage's global batch is divided among its processes."""

from alignment_api.spec.compute import Compute


class ImpossibleBatch(ValueError):
    """The global batch cannot be divided among the processes."""


def processes_per_node(compute: Compute) -> int:
    """Count the processes of one pod: one per GPU, or processesPerNode on CPUs."""
    return compute.gpus_per_node or compute.processes_per_node or 1


def gpus_of(compute: Compute) -> int:
    """Return how many GPUs all nodes of a stage have."""
    return (compute.nodes or 1) * (compute.gpus_per_node or 0)


def world_size(compute: Compute) -> int:
    """Count the processes of a stage."""
    return (compute.nodes or 1) * processes_per_node(compute)


def pair_tokens(micro_batch_size: int, max_length: int) -> int:
    """Return the most tokens of packed pairs in one forward pass: as many as both answers of full pairs have side by side."""
    return micro_batch_size * 2 * max_length


def check_batch(global_batch_size: int, compute: Compute, *, packs_pairs: bool = False) -> None:
    """Refuse a global batch that would leave processes idle in each step; packed pairs fill no micro-batches."""
    processes, micro = world_size(compute), 1 if packs_pairs else compute.micro_batch_size or 1
    together = processes * micro
    if global_batch_size % together == 0:
        return
    below = global_batch_size // together * together
    shares = f"{processes} process{'es' if processes > 1 else ''}" + ("" if packs_pairs else f" with micro-batches of {micro}")
    if below:
        advice = f"a multiple of {together}; the nearest possible values are {below} or {below + together}"
        raise ImpossibleBatch(f"{global_batch_size} cannot be divided among {shares}: it must be {advice}")
    advice = f"a multiple of {together}, at least {together}"
    raise ImpossibleBatch(f"{global_batch_size} is too small for {shares}: it must be {advice}")
