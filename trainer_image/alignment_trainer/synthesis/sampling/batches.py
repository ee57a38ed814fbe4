"""Plans batches of prompts of about the same length, the longest first; pure."""

from collections.abc import Mapping

_MOST_ROWS = 256
"""More prompts at once gain little, and each has a row of logits as long as the vocabulary."""


Batch = list[int]
"""Prompts that are answered at once, by their places in what is asked."""


def batches(lengths: Mapping[int, int], answer_tokens: int, most_tokens: int) -> list[Batch]:
    """Fill batches up to a number of tokens, counted as if each answer became as long as it may; a batch has at least one."""
    order = sorted(lengths, key=lambda place: (-lengths[place], place))
    found: list[Batch] = []
    start = 0
    while start < len(order):
        width = lengths[order[start]] + answer_tokens
        rows = max(1, min(_MOST_ROWS, most_tokens // width))
        found.append(order[start : start + rows])
        start += rows
    return found
