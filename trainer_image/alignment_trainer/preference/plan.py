"""Packs pairs into rows of a limited number of tokens, about equally full on all processes, each pair once; pure."""

import bisect
import heapq
from collections.abc import Sequence

from alignment_trainer.training.dealing import Deal


def plan(rows: Sequence[int], tokens: Sequence[int], most_tokens: int, process: int, processes: int) -> list[Deal]:
    """Return the deals of one process: as few as best-fit finds, each about as full as those of the other processes."""
    lengths = sorted(((int(tokens[row]), row) for row in rows), reverse=True)
    bins = best_fit(lengths, most_tokens)
    count = -(-len(bins) // processes)
    even = _evenly(lengths, count * processes)
    if all(len(pairs) == 1 or _tokens(pairs, tokens) <= most_tokens for pairs in even):
        bins = even
    # Similarly full bins run together: in each forward, all processes wait for the one with the fullest bin.
    bins.sort(key=lambda pairs: (-_tokens(pairs, tokens), pairs))
    return [_deal(bins, position, lengths[-1][1]) for position in range(process, count * processes, processes)]


def best_fit(lengths: list[tuple[int, int]], most_tokens: int) -> list[list[int]]:
    """Put pairs, longest first, each into the bin with the least room that suffices; a pair longer than a bin is alone."""
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
    """Put pairs, longest first, each into the emptiest bin, whether or not it has room; empty bins are left out."""
    least = [(0, number) for number in range(min(count, len(lengths)))]
    bins: list[list[int]] = [[] for _ in least]
    for length, row in lengths:
        filled, number = least[0]
        bins[number].append(row)
        heapq.heapreplace(least, (filled + length, number))
    return bins


def _tokens(pairs: list[int], tokens: Sequence[int]) -> int:
    return sum(int(tokens[row]) for row in pairs)


def _deal(bins: list[list[int]], position: int, shortest: int) -> Deal:
    # With sharding, every process must join each forward, even one that has no pair left.
    return Deal(sorted(bins[position]), True) if position < len(bins) else Deal([shortest], False)
