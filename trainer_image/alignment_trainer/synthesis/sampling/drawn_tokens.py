"""Draws each token of an answer with the answer's own random numbers, so that no batch mate changes what is drawn."""

from collections.abc import Sequence

import numpy
import torch
from transformers import LogitsProcessor, LogitsProcessorList, TemperatureLogitsWarper, TopPLogitsWarper

from alignment_trainer.endpoints.question import SamplingSettings


def drawing(seeds: Sequence[int], prompt_tokens: int, sampling: SamplingSettings) -> LogitsProcessorList | None:
    """Return what draws tokens, for prompts that are padded to `prompt_tokens`; None where the likeliest one is taken."""
    if sampling.temperature == 0:
        return None
    nucleus = [TopPLogitsWarper(sampling.top_p)] if sampling.top_p < 1 else []
    draw = _Draw(seeds, prompt_tokens, sampling.maximum_tokens)
    return LogitsProcessorList([TemperatureLogitsWarper(sampling.temperature), *nucleus, draw])


class _Draw(LogitsProcessor):  # type: ignore[misc]
    """Leaves one token of each row: generate() then takes it as the likeliest, and draws nothing itself."""

    def __init__(self, seeds: Sequence[int], prompt_tokens: int, most: int) -> None:
        self._prompt_tokens = prompt_tokens
        self._numbers = torch.tensor(numpy.stack([numpy.random.default_rng(seed).random(most) for seed in seeds]))

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Choose the token whose share of the probability holds the row's next random number."""
        shares = torch.softmax(scores.double(), dim=-1).cumsum(dim=-1)
        number = self._numbers[:, input_ids.shape[1] - self._prompt_tokens].to(scores.device)
        wanted = (number * shares[:, -1]).unsqueeze(1)
        token = torch.searchsorted(shares, wanted, right=True).clamp(max=scores.shape[-1] - 1)
        return torch.full_like(scores, -torch.inf).scatter(1, token, 0.0)
