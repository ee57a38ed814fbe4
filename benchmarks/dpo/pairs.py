"""Synthetic pairs with the lengths of real data sets, and the work that packed and padded batching need for them; no torch."""

import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

Lengths = tuple[int, int, int]
"""Numbers of tokens of a pair's prompt, chosen and rejected answer."""

FIRST_TOKEN = 2
"""The tokens below it are padding and end of text."""
_SHORTEST_ANSWER = 16


class Shape(NamedTuple):
    """Log-normal lengths: medians in tokens, and the standard deviations of their logarithms."""

    prompt_median: int
    answer_median: int
    prompt_spread: float
    answer_spread: float


# The spreads of the first shape are chosen so that padding wastes as much as on UltraFeedback, at micro-batches of 8 and of 1.
SHAPES = {
    "UltraFeedback-like": Shape(110, 220, 0.8, 0.8),
    "long prompts": Shape(600, 120, 0.4, 0.7),
    "short prompts": Shape(20, 400, 0.8, 0.5),
}


class Size(NamedTuple):
    """The dimensions of a Llama; `0.5b` and larger are close to well-known models."""

    layers: int
    hidden: int
    heads: int
    key_value_heads: int
    intermediate: int

    @property
    def layer_weights(self) -> int:
        """Count the weights of all layers that each token is multiplied with."""
        attention = 2 * self.hidden**2 * (1 + self.key_value_heads / self.heads)
        return round(self.layers * (attention + 3 * self.hidden * self.intermediate))


SIZES = {
    "tiny": Size(2, 64, 2, 2, 176),
    "small": Size(6, 384, 6, 6, 1024),
    "0.5b": Size(24, 896, 14, 2, 4864),
    "1b": Size(16, 2048, 32, 8, 8192),
    "3b": Size(28, 3072, 24, 8, 8192),
    "8b": Size(32, 4096, 32, 8, 14336),
}


def draw_lengths(shape: Shape, count: int, max_length: int, seed: int) -> list[Lengths]:
    """Draw lengths; as for real rows, prompts without room for an answer are dropped, and answers are cut at max_length."""
    draw = random.Random(seed)
    drawn: list[Lengths] = []
    while len(drawn) < count:
        prompt = max(4, round(shape.prompt_median * draw.lognormvariate(0, shape.prompt_spread)))
        sizes = [shape.answer_median * draw.lognormvariate(0, shape.answer_spread) for _ in range(2)]
        if prompt <= max_length - _SHORTEST_ANSWER:
            chosen, rejected = (min(max_length - prompt, max(_SHORTEST_ANSWER, round(size))) for size in sizes)
            drawn.append((prompt, chosen, rejected))
    return drawn


def rows_of(lengths: Sequence[Lengths], vocabulary: int, seed: int) -> list[dict[str, Any]]:
    """Return random tokens; chosen and rejected answers prefer different ones, so that the model can learn and losses change."""
    draw = random.Random(seed)

    def tokens(count: int, lean: float) -> list[int]:
        return [FIRST_TOKEN + int((vocabulary - FIRST_TOKEN) * draw.random() ** lean) for _ in range(count)]

    return [
        {"prompt_ids": tokens(prompt, 2), "chosen_ids": tokens(chosen, 3), "rejected_ids": tokens(rejected, 1.5)}
        for prompt, chosen, rejected in lengths
    ]


class Work(NamedTuple):
    """The work for some pairs: tokens of one forward pass, and all linear floating-point operations."""

    tokens: int
    flops: float


class Cost(NamedTuple):
    """The cost of a token, in weights, and whether the layers run forward twice per gradient."""

    layer_weights: int
    head_weights: int
    gradient_checkpointing: bool


def shared_work(lengths: Sequence[Lengths], cost: Cost, with_reference: bool, most_logits: float) -> Work:
    """Count the work of ours: each token once, only answers in the head, logits twice only for pairs with too many."""
    tokens = sum(map(sum, lengths))
    answers = [chosen + rejected for _, chosen, rejected in lengths]
    projections = sum(count * (3 if count <= most_logits else 4) for count in answers) + with_reference * sum(answers)
    return Work(tokens, _flops(tokens, projections, cost, with_reference))


def padded_work(lengths: Sequence[Lengths], cost: Cost, with_reference: bool, micro_batch: int, compact: bool) -> Work:
    """Count the work of TRL: each answer with its prompt, padded to the longest; the head's backward recomputes logits."""
    tokens, projected = 0, 0
    for batch in in_turn(lengths, micro_batch):
        width = max(prompt + max(chosen, rejected) for prompt, chosen, rejected in batch)
        tokens += 2 * len(batch) * width
        projected += sum(chosen + rejected for _, chosen, rejected in batch) if compact else 2 * len(batch) * (width - 1)
    return Work(tokens, _flops(tokens, projected * (4 + with_reference), cost, with_reference))


def _flops(tokens: int, projections: int, cost: Cost, with_reference: bool) -> float:
    passes = 3 + cost.gradient_checkpointing + with_reference
    return 2.0 * (cost.layer_weights * tokens * passes + cost.head_weights * projections)


def in_turn(items: Sequence[Any], at_once: int) -> Iterator[Sequence[Any]]:
    """Return the items in chunks of `at_once`."""
    return (items[start : start + at_once] for start in range(0, len(items), at_once))
