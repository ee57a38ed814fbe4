"""Counts the activations that a forward pass keeps until the backward pass."""

from alignment_api.memory.shape import ModelShape
from alignment_api.memory.workload import Workload

# As in Korthikanti et al. (arXiv 2205.05198, section 4), with the operations of transformers 5.23 instead of Megatron's:
# every tensor that autograd saves is counted once. A test compares the count with what torch saves.


def activation_bytes(shape: ModelShape, work: Workload) -> int:
    """Return the bytes kept for all layers; with gradient checkpointing, all layers' inputs and everything of one layer."""
    whole = layer_bytes_per_token(shape, work) * work.tokens
    if not work.gradient_checkpointing:
        return shape.layers * whole
    return shape.layers * work.tokens * shape.hidden * _residual_bytes(work) + whole


def layer_bytes_per_token(shape: ModelShape, work: Workload) -> int:
    """Return the bytes that one layer keeps per token."""
    return (
        _norms(shape, work)
        + _matrix_inputs(shape, work)
        + _attention(shape, work)
        + shape.traits.kept_by_activation * shape.intermediate * work.number_bytes
    )


def _residual_bytes(work: Workload) -> int:
    # The output of a 32-bit embedding stays in 32 bit between the layers.
    return work.weight_bytes


def _norms(shape: ModelShape, work: Workload) -> int:
    if shape.traits.norm_vectors == 2:
        # LayerNorm keeps its input.
        return shape.traits.norms * shape.hidden * _residual_bytes(work)
    # RMSNorm keeps its input in 32 bit, and also the normalized input if the scale is trained.
    scaled = 4 if shape.traits.norm_adds_one else _residual_bytes(work)
    kept = 4 + (0 if work.adapter else scaled)
    heads = 4 + (0 if work.adapter else work.number_bytes)
    head_width = shape.query_width + shape.key_width if shape.head_norms else 0
    return shape.traits.norms * shape.hidden * kept + head_width * heads


def _matrix_inputs(shape: ModelShape, work: Workload) -> int:
    if work.adapter:
        # With frozen weights, each adapter keeps its own copy of the input, and dropout a mask of bytes.
        width = sum(inputs for inputs, _ in work.adapter.adapted(shape))
        return width * (work.number_bytes + work.adapter.drops)
    # Matrices with the same input share it, but autocast casts it to 16 bit for each of them.
    # The last matrices of attention and feed-forward part have their own inputs; `_attention` counts the first already.
    copies = len(shape.linear_sizes) - 2 if work.casts else shape.traits.norms
    return (copies * shape.hidden + shape.intermediate) * work.number_bytes


def _attention(shape: ModelShape, work: Workload) -> int:
    queries_keys_values = (shape.query_width + 2 * shape.key_width) * work.number_bytes
    if not shape.traits.keeps_scores:
        # The kernel recomputes the scores; it keeps its inputs and its output.
        return queries_keys_values + shape.query_width * work.number_bytes
    # The softmax is computed in 32 bit, and for 16-bit numbers its result is kept a second time.
    scores = shape.heads * work.max_length * (4 + (2 if work.is_16_bit else 0))
    given = 0 if work.adapter else shape.hidden * work.number_bytes
    return queries_keys_values + scores + given
