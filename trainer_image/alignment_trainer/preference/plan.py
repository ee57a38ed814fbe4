"""Which pairs each process computes together: at most so many tokens, alike on all processes, each pair once; pure."""

import heapq
from collections.abc import Sequence

from alignment_trainer.rounds import Round


def plan(rows: Sequence[int], tokens: Sequence[int], most_tokens: int, process: int, processes: int) -> list[Round]:
    """Give the rounds of one process: as few as can be, in each of which all processes have about the same to do."""
    lengths = sorted(((int(tokens[row]), row) for row in rows), reverse=True)
    count = -(-sum(min(length, most_tokens) for length, _ in lengths) // (most_tokens * processes))
    bins = _packed(lengths, count * processes)
    while any(len(pairs) > 1 and _tokens(pairs, tokens) > most_tokens for pairs in bins):
        count += 1
        bins = _packed(lengths, count * processes)
    # The fullest go together: in each round all wait for whoever has most to do.
    bins.sort(key=lambda pairs: (-_tokens(pairs, tokens), pairs))
    return [_round(bins, position, lengths[-1][1]) for position in range(process, count * processes, processes)]


def _packed(lengths: list[tuple[int, int]], count: int) -> list[list[int]]:
    """Put the longest pairs first, each where the least is; empty bins are left out."""
    least = [(0, number) for number in range(min(count, len(lengths)))]
    bins: list[list[int]] = [[] for _ in least]
    for length, row in lengths:
        filled, number = least[0]
        bins[number].append(row)
        heapq.heapreplace(least, (filled + length, number))
    return bins


def _tokens(pairs: list[int], tokens: Sequence[int]) -> int:
    return sum(int(tokens[row]) for row in pairs)


def _round(bins: list[list[int]], position: int, shortest: int) -> Round:
    # Sharing out a model takes all processes, also one for which no pair is left.
    return Round(sorted(bins[position]), True) if position < len(bins) else Round([shortest], False)
