"""Estimates the memory of each GPU that a training stage needs, part by part; pure."""

from typing import NamedTuple

from alignment_api.memory.activations import activation_bytes
from alignment_api.memory.shape import ModelShape
from alignment_api.memory.workload import Workload

# NF4 with double quantization (QLoRA, arXiv 2305.14314, section 3): 4 bit, 8 more for each 64 weights, 32 more for each 64 * 256.
_NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
# AdamW in 8 bit (arXiv 2110.02861): two means, and a scale of 32 bit for each 256 of either.
_ADAM8_BYTES = 2 * (1 + 4 / 256)
# DeepSpeed's defaults (runtime/zero/config.py), in numbers: the most gathered at once, and each of two gradient buffers.
_MOST_GATHERED = 10**9
_REDUCE_BUCKET = 5 * 10**8
_SUB_GROUP = 10**9
# TRL's head (kernels/chunked_logprob.py) computes this many tokens and this much of the vocabulary at a time.
_HEAD_TOKENS = 4096
_HEAD_VOCABULARY = 32768
# Our own head for pairs (alignment_trainer/preference/head.py) holds three tensors of logits of this many bytes at a time.
_PAIR_LOGITS = 256 * 2**20
# Our merging (alignment_trainer/models/merging.py) copies other tensors in pieces. Of a layer it holds the
# weights, and twice the update in 32 bit; more if bitsandbytes rounds on a CPU (measured).
_MERGED_PIECES = 2 * 16 * 2**20
_MERGED_NUMBERS = 2 * 4
_ROUNDED_NUMBERS = 6


class Estimate(NamedTuple):
    """Bytes of one GPU."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    buffers: int
    update: int
    """What the optimizer needs during its step, when activations, logits and buffers are freed."""

    @property
    def held(self) -> int:
        """Return what is held from the first step to the last; it follows exactly from the settings."""
        return self.weights + self.gradients + self.optimizer

    @property
    def passing(self) -> int:
        """Return the most that is needed for a while besides what is held."""
        return max(self.activations + self.logits + self.buffers, self.update)

    @property
    def total(self) -> int:
        """Return the most that is needed at once."""
        return self.held + self.passing


def estimate(shape: ModelShape, work: Workload) -> Estimate:
    """Estimate a stage as our trainer runs it."""
    return Estimate(
        weights=_weights(shape, work),
        gradients=_gradients(shape, work),
        optimizer=_optimizer(shape, work),
        activations=activation_bytes(shape, work),
        logits=_logits(shape, work),
        buffers=_buffers(shape, work),
        update=_update(shape, work),
    )


def trained_parameters(shape: ModelShape, work: Workload) -> int:
    """Count the trained weights: all, or two thin matrices per adapted layer (LoRA, arXiv 2106.09685)."""
    if work.adapter is None:
        return shape.parameters
    return shape.layers * work.adapter.rank * sum(inputs + outputs for inputs, outputs in work.adapter.adapted(shape))


def merging_bytes(shape: ModelShape, work: Workload) -> int:
    """Estimate the host memory for merging the adapter after training, which the largest adapted layer decides."""
    if work.adapter is None:
        return 0
    layers = list(shape.linear_sizes.values()) if work.adapter.is_quantized else work.adapter.adapted(shape)
    largest = max((inputs * outputs for inputs, outputs in layers), default=0)
    numbers = work.number_bytes + _MERGED_NUMBERS + (_ROUNDED_NUMBERS if work.adapter.is_quantized else 0)
    return largest * numbers + _MERGED_PIECES


def sampling_bytes(shape: ModelShape, work: Workload) -> int:
    """Count the weights of a model that each process holds whole to sample it, in the precision of its training."""
    return _frozen(shape, work, work.number_bytes)


def _frozen(shape: ModelShape, work: Workload, weight_bytes: int) -> int:
    held = shape.parameters * weight_bytes
    if work.adapter and work.adapter.is_quantized:
        held -= int(shape.linear_parameters * (weight_bytes - _NF4_BYTES))
    return held


def _trained_bytes(work: Workload) -> int:
    # PEFT holds adapters in 32 bit; DeepSpeed casts them to 16 bit, and so does TRL with quantized weights.
    if work.adapter and not work.is_sharded and not work.adapter.is_quantized:
        return 4
    return 2 if work.adapter and work.adapter.is_quantized else work.weight_bytes


def _weights(shape: ModelShape, work: Workload) -> int:
    if work.offload == "OptimizerAndParameters":
        return 0
    held = _frozen(shape, work, work.weight_bytes)
    if work.adapter:
        held += trained_parameters(shape, work) * _trained_bytes(work)
    return held // _sharers(work, "ZeRO3")


def _gradients(shape: ModelShape, work: Workload) -> int:
    made = trained_parameters(shape, work) * _trained_bytes(work)
    if not work.is_sharded:
        # DistributedDataParallel copies gradients into its own buckets (torch: gradient_as_bucket_view is false).
        return made * (2 if work.processes > 1 else 1)
    if work.sharding == "ZeRO1":
        return made
    return 0 if work.offload != "None" else made // _sharers(work, "ZeRO2", "ZeRO3")


def _optimizer(shape: ModelShape, work: Workload) -> int:
    if work.offload != "None":
        return 0
    number = 4 if work.is_sharded else _trained_bytes(work)
    # Two running means, or one (RMSprop); in 8 bit; or in memory that moves to the host if the GPU's runs out (paged).
    states = {"AdamW": 2 * number, "RMSprop": number, "AdamW8bit": _ADAM8_BYTES, "PagedAdamW32bit": 0}[work.optimizer]
    # DeepSpeed updates a 32-bit copy of the weights (ZeRO, arXiv 1910.02054, section 3.1).
    master = 4 if work.is_sharded else 0
    held = int(trained_parameters(shape, work) * (states + master))
    if work.optimizer == "AdamW8bit" and not work.adapter and not work.is_sharded:
        # transformers keeps the means of embeddings in 32 bit.
        held += int(shape.vocabulary * shape.hidden * (8 - _ADAM8_BYTES))
    return held // _sharers(work, "ZeRO1", "ZeRO2", "ZeRO3")


def _shares_prompts(shape: ModelShape, work: Workload) -> bool:
    return work.shares_prompts and shape.takes_packed_pairs


def _pair_logits(shape: ModelShape, work: Workload) -> int:
    """Count our head: logits and their log-probabilities, its gradient in 32 bit and in the weights' type, hidden states."""
    rows = min(work.tokens, _PAIR_LOGITS // (4 * shape.vocabulary))
    product = 2 if work.is_16_bit else 0
    head = 0 if work.adapter else shape.vocabulary * shape.hidden * (4 + work.weight_bytes + product)
    return 3 * rows * shape.vocabulary * 4 + head + 2 * work.tokens * shape.hidden * work.weight_bytes


def _logits(shape: ModelShape, work: Workload) -> int:
    """Count TRL's head: one tile of logits, the head's gradient in 32 bit, and hidden states with their gradient."""
    if _shares_prompts(shape, work):
        return _pair_logits(shape, work)
    tile = min(work.tokens, _HEAD_TOKENS) * _HEAD_VOCABULARY * work.number_bytes
    head = 0 if work.adapter else shape.vocabulary * shape.hidden * (4 + (2 if work.weight_bytes == 2 else 0))
    return tile + head + work.tokens * shape.hidden * (4 + work.weight_bytes)


def _buffers(shape: ModelShape, work: Workload) -> int:
    together = work.max_length * work.micro_batch_size if work.packs else work.max_length
    # Masks of one row of packed examples, or of each sequence: as booleans and as numbers.
    mask = (1 if work.packs else work.sequences) * together**2 * (1 + work.number_bytes)
    if _shares_prompts(shape, work):
        # The 16-bit kernel takes the bounds of the answers; otherwise each rejected answer has a mask.
        mask = 0 if work.is_16_bit else work.micro_batch_size * work.max_length**2 * work.number_bytes
    casts = shape.linear_parameters * 2 if work.casts else 0
    whole = 0
    if work.adapter and work.adapter.is_quantized:
        # A layer is dequantized while it is used.
        whole = max(inputs * outputs for inputs, outputs in shape.linear_sizes.values()) * work.number_bytes
    return mask + casts + whole + _shared_buffers(shape, work)


def _shared_buffers(shape: ModelShape, work: Workload) -> int:
    if work.sharding == "ZeRO3":
        # transformers sets the bucket to the size of one square matrix.
        return (min(shape.parameters, _MOST_GATHERED) + shape.hidden**2) * work.weight_bytes
    return 2 * _REDUCE_BUCKET * _trained_bytes(work) if work.is_sharded else 0


def _update(shape: ModelShape, work: Workload) -> int:
    if work.offload != "None":
        return 0
    mine = trained_parameters(shape, work) // _sharers(work, "ZeRO1", "ZeRO2", "ZeRO3")
    at_once = min(mine, _SUB_GROUP) if work.sharding == "ZeRO3" else mine
    # torch takes the roots of all means at once; DeepSpeed casts the gradients to 32 bit.
    roots = 4 if work.is_sharded else _trained_bytes(work)
    return at_once * ((roots if work.optimizer in ("AdamW", "RMSprop") else 0) + (4 if work.is_sharded else 0))


def _sharers(work: Workload, *shardings: str) -> int:
    return work.processes if work.sharding in shardings else 1
