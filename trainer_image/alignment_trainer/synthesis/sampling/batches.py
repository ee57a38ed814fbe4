"""Plans batches of prompts of about the same length, the longest first; pure."""

import math
from collections.abc import Mapping

_MOST_ROWS = 256
"""More prompts at once gain little, and each has a row of logits as long as the vocabulary."""
_FEWEST_ROWS = 16
"""Fewer prompts at once take almost as long as these."""
SHARES = 8
"""Into so many batches prompts are dealt at least, as far as their number allows: several processes then have some each."""


Batch = list[int]
"""Prompts that are answered at once, by their places in what is asked."""


def batches(lengths: Mapping[int, int], answer_tokens: int, most_tokens: int, shares: int = SHARES) -> list[Batch]:
    """Fill batches up to a number of tokens, counted as if each answer became as long as it may; a batch has at least one."""
    most_rows = min(_MOST_ROWS, max(_FEWEST_ROWS, math.ceil(len(lengths) / shares)))
    order = sorted(lengths, key=lambda place: (-lengths[place], place))
    found: list[Batch] = []
    start = 0
    while start < len(order):
        width = lengths[order[start]] + answer_tokens
        rows = max(1, min(most_rows, most_tokens // width))
        found.append(order[start : start + rows])
        start += rows
    return found
