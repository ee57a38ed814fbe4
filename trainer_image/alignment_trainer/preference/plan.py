"""Which pairs each process computes together: at most so many tokens, alike on all processes, each pair once; pure."""

import bisect
import heapq
from collections.abc import Sequence

from alignment_trainer.training.dealing import Round


def plan(rows: Sequence[int], tokens: Sequence[int], most_tokens: int, process: int, processes: int) -> list[Round]:
    """Give the rounds of one process: as few as best-fit finds, in each of which all processes have about the same to do."""
    lengths = sorted(((int(tokens[row]), row) for row in rows), reverse=True)
    bins = best_fit(lengths, most_tokens)
    count = -(-len(bins) // processes)
    even = _evenly(lengths, count * processes)
    if all(len(pairs) == 1 or _tokens(pairs, tokens) <= most_tokens for pairs in even):
        bins = even
    # The fullest go together: in each round all wait for whoever has most to do.
    bins.sort(key=lambda pairs: (-_tokens(pairs, tokens), pairs))
    return [_round(bins, position, lengths[-1][1]) for position in range(process, count * processes, processes)]


def best_fit(lengths: list[tuple[int, int]], most_tokens: int) -> list[list[int]]:
    """Put pairs, the longest first, each where the least room is left that is enough; one that is too long is alone."""
    bins: list[list[int]] = []
    rooms: list[tuple[int, int]] = []
    for length, row in lengths:
        position = bisect.bisect_left(rooms, (length, 0))
        if position < len(rooms):
            room, number = rooms.pop(position)
            bins[number].append(row)
        else:
            room, number = most_tokens, len(bins)
            bins.append([row])
        bisect.insort(rooms, (room - length, number))
    return bins


def _evenly(lengths: list[tuple[int, int]], count: int) -> list[list[int]]:
    """Put the longest pairs first, each where the least is, whether or not there is room; empty bins are left out."""
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
