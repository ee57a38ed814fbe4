"""What a forward pass keeps of each token until the backward pass has used it."""

from alignment_api.memory.shape import ModelShape
from alignment_api.memory.workload import Workload

# In the manner of Korthikanti et al. (arXiv 2205.05198, section 4), with the operations of transformers 5.23 in place of
# Megatron's: every tensor that autograd saves is counted once. A test holds the count against what torch really saves.


def activation_bytes(shape: ModelShape, work: Workload) -> int:
    """Give the bytes kept for all layers, or, where they are recomputed, for each layer's input and for one layer in full."""
    whole = layer_bytes_per_token(shape, work) * work.tokens
    if not work.gradient_checkpointing:
        return shape.layers * whole
    return shape.layers * work.tokens * shape.hidden * _residual_bytes(work) + whole


def layer_bytes_per_token(shape: ModelShape, work: Workload) -> int:
    """Give the bytes that one layer keeps of one token."""
    return (
        _norms(shape, work)
        + _matrix_inputs(shape, work)
        + _attention(shape, work)
        + shape.traits.kept_by_activation * shape.intermediate * work.number_bytes
    )


def _residual_bytes(work: Workload) -> int:
    # What an embedding of 32 bit gives stays in 32 bit between the layers.
    return work.weight_bytes


def _norms(shape: ModelShape, work: Workload) -> int:
    if shape.traits.norm_vectors == 2:
        # LayerNorm keeps its input.
        return shape.traits.norms * shape.hidden * _residual_bytes(work)
    # RMSNorm keeps its input in 32 bit, and what its scale is multiplied with where the scale is trained.
    scaled = 4 if shape.traits.norm_adds_one else _residual_bytes(work)
    kept = 4 + (0 if work.adapter else scaled)
    heads = 4 + (0 if work.adapter else work.number_bytes)
    head_width = shape.query_width + shape.key_width if shape.head_norms else 0
    return shape.traits.norms * shape.hidden * kept + head_width * heads


def _matrix_inputs(shape: ModelShape, work: Workload) -> int:
    if work.adapter:
        # Beside weights that are only read, each adapter keeps its own copy of the input, and dropout a mask of bytes.
        width = sum(inputs for inputs, _ in work.adapter.adapted(shape))
        return width * (work.number_bytes + work.adapter.drops)
    # Matrices with one input share it; autocast turns it into 16 bit for each of them anew.
    # The last matrices of attention and feed-forward part have inputs of their own, the former's kept by attention already.
    copies = len(shape.linear_sizes) - 2 if work.casts else shape.traits.norms
    return (copies * shape.hidden + shape.intermediate) * work.number_bytes


def _attention(shape: ModelShape, work: Workload) -> int:
    queries_keys_values = (shape.query_width + 2 * shape.key_width) * work.number_bytes
    if not shape.traits.keeps_scores:
        # The kernel recomputes the scores; it keeps what it read and what it gave.
        return queries_keys_values + shape.query_width * work.number_bytes
    # The softmax is computed in 32 bit, and where numbers have 16 its result is kept once more.
    scores = shape.heads * work.max_length * (4 + (2 if work.is_16_bit else 0))
    given = 0 if work.adapter else shape.hidden * work.number_bytes
    return queries_keys_values + scores + given
