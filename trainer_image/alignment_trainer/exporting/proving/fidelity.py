"""Compares the predictions of two models, token by token."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from alignment_api.results.export import Fidelity
from torch.nn.functional import log_softmax

from alignment_trainer.exporting.proving.ratios import per_token, perplexity
from alignment_trainer.exporting.proving.request import Compared

_POSITIONS = 256
"""So many distributions over the vocabulary are in memory at once."""


class Likenesses:
    """The sums of each text: losses of both models, divergence, and tokens that both find likeliest."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.first_losses: list[float] = []
        self.second_losses: list[float] = []
        self.divergences: list[float] = []
        self.agreements: list[float] = []

    @property
    def are_numbers(self) -> bool:
        """Return whether both models predict numbers, and neither NaN nor infinity."""
        return all(map(math.isfinite, (*self.first_losses, *self.second_losses, *self.divergences)))

    def first(self) -> Fidelity:
        """Return how well the first model predicts."""
        return Fidelity(perplexity=perplexity(self.first_losses, self.tokens))

    def second(self) -> Fidelity:
        """Return how well the second model predicts, and how close it comes to the first."""
        return Fidelity(
            perplexity=perplexity(self.second_losses, self.tokens),
            divergence=per_token(self.divergences, self.tokens),
            agreement=per_token(self.agreements, self.tokens),
        )


def compare(first: Any, second: Any, texts: Sequence[Compared], advance: Callable[[int], None]) -> Likenesses:
    """Let two models predict the same tokens."""
    found = Likenesses()
    for text in texts:
        ids = torch.tensor([text.ids])
        places = torch.tensor(text.measured[1:]).nonzero().squeeze(1)
        with torch.inference_mode():
            sums = _sums(_logits(first, ids, places), _logits(second, ids, places), ids[0, 1:][places])
        found.tokens.append(len(places))
        for kept, value in zip((found.first_losses, found.second_losses, found.divergences, found.agreements), sums, strict=True):
            kept.append(value)
        advance(len(places))
    return found


def _logits(model: Any, ids: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Return the logits of the tokens that count; a model computes no others where it can leave them out."""
    device = model.device
    given = ids.to(device)
    logits: torch.Tensor = model(input_ids=given, attention_mask=torch.ones_like(given), use_cache=False).logits
    return logits[0, places.to(device)]


def _sums(first: torch.Tensor, second: torch.Tensor, targets: torch.Tensor) -> tuple[float, float, float, float]:
    totals = torch.zeros(4, dtype=torch.float64)
    for start in range(0, len(targets), _POSITIONS):
        part = slice(start, start + _POSITIONS)
        one = log_softmax(first[part].float(), dim=-1)
        other = log_softmax(second[part].to(first.device).float(), dim=-1)
        wanted = targets[part, None].to(first.device)
        totals[0] -= one.gather(1, wanted).double().sum().cpu()
        totals[1] -= other.gather(1, wanted).double().sum().cpu()
        totals[2] += (one.exp() * (one - other)).double().sum().cpu()
        totals[3] += (one.argmax(-1) == other.argmax(-1)).double().sum().cpu()
    losses_and_others = totals.tolist()
    return losses_and_others[0], losses_and_others[1], losses_and_others[2], losses_and_others[3]
