"""Lays pairs out in one row, each as its prompt, then the chosen answer, then the rejected one."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch

Segment = tuple[int, int, int]
"""How long a pair's prompt, chosen and rejected answer are; a plain tuple, since inputs are taken apart and rebuilt."""


def lay_out(pairs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Make what the model takes, and what is learned where; both answers continue their prompt."""
    segments = [(len(pair["prompt_ids"]), len(pair["chosen_ids"]), len(pair["rejected_ids"])) for pair in pairs]
    ids = [token for pair in pairs for name in ("prompt_ids", "chosen_ids", "rejected_ids") for token in pair[name]]
    positions, predicting, targets, counts, start = [], [], [], [], 0
    for pair, segment in zip(pairs, segments, strict=True):
        prompt, chosen, rejected = segment
        positions += [*range(prompt + chosen), *range(prompt, prompt + rejected)]
        # What no token goes before is not predicted. The prompt's last token predicts the first one of both answers.
        unseen = 0 if prompt else 1
        for first, name in ((start + prompt, "chosen_ids"), (start + prompt + chosen, "rejected_ids")):
            learned = pair[name][unseen:]
            before = [start + prompt - 1] if prompt else []
            predicting += [*before, *range(first, first + len(pair[name]))][: len(learned)]
            targets += learned
        counts.append((max(chosen - unseen, 0), max(rejected - unseen, 0)))
        start += sum(segment)
    return {
        "input_ids": torch.tensor([ids]),
        "position_ids": torch.tensor([positions]),
        "segments": segments,
        **attended(segments),
        "predicting": torch.tensor(predicting, dtype=torch.long),
        "targets": torch.tensor(targets, dtype=torch.long),
        "counts": counts,
        "lengths": torch.tensor([segment[1:] for segment in segments]),
    }


def attended(segments: Sequence[Segment]) -> dict[str, Any]:
    """Say what each answer sees, in the terms of variable-length attention: bounds of queries and of keys, and the keys' tokens.

    Each pair is two sequences: prompt and chosen answer, which see themselves, and the rejected answer, whose keys are the
    prompt's and its own.
    """
    queries, keys, start = [0], [0], 0
    tokens: list[int] = []
    for prompt, chosen, rejected in segments:
        for parts in ([(start, prompt + chosen)], [(start, prompt), (start + prompt + chosen, rejected)]):
            for first, length in parts:
                tokens += range(first, first + length)
            keys.append(len(tokens))
        queries += [start + prompt + chosen, start + prompt + chosen + rejected]
        start += prompt + chosen + rejected
    return {
        "query_bounds": torch.tensor(queries, dtype=torch.int32),
        "key_bounds": torch.tensor(keys, dtype=torch.int32),
        "key_tokens": torch.tensor(tokens, dtype=torch.long),
        "most_queries": max(after - before for before, after in pairwise(queries)),
        "most_keys": max(after - before for before, after in pairwise(keys)),
    }
