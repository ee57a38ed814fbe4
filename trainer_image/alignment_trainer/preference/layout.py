"""Lays pairs out in one row, each as its prompt, its chosen answer and its rejected answer."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch

Segment = tuple[int, int, int]
"""Tokens of a pair's prompt, chosen and rejected answer; a plain tuple, because libraries rebuild inputs from their parts."""


def lay_out(pairs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the model's inputs and the targets; the positions of both answers continue from the prompt."""
    segments = [(len(pair["prompt_ids"]), len(pair["chosen_ids"]), len(pair["rejected_ids"])) for pair in pairs]
    ids = [token for pair in pairs for name in ("prompt_ids", "chosen_ids", "rejected_ids") for token in pair[name]]
    positions, predicting, targets, counts, start = [], [], [], [], 0
    for pair, segment in zip(pairs, segments, strict=True):
        prompt, chosen, rejected = segment
        positions += [*range(prompt + chosen), *range(prompt, prompt + rejected)]
        # A token without a token before it is not predicted. The prompt's last token predicts the first token of both answers.
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
    """Return what variable-length attention needs: the bounds of queries and keys, and which tokens the keys are.

    Each pair becomes two sequences. The first is the prompt with the chosen answer; its keys are itself. The second is the
    rejected answer; its keys are the prompt and itself.
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
