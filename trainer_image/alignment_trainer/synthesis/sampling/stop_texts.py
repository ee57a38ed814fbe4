"""Ends an answer where a text occurs in it after which nothing is read, such as the next function of a program."""

import re
from collections.abc import Sequence
from typing import Any

import torch
from transformers import StoppingCriteria

_LAST_TOKENS = 16
"""A text that ends with the newest token begins in one of these: a token has at least a byte."""


class StopTexts(StoppingCriteria):  # type: ignore[misc]
    """Ends each row of a batch at its own text; a row without one goes on to its end."""

    def __init__(self, tokenizer: Any, stops: Sequence[re.Pattern[str] | None], prompt_tokens: int) -> None:
        self._tokenizer, self._stops, self._prompt_tokens = tokenizer, stops, prompt_tokens
        self.lengths: list[int | None] = [None] * len(stops)
        """How many tokens each row had when its text occurred."""

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        """Return which rows have ended; a text of the prompt ends none."""
        made = input_ids[:, self._prompt_tokens :]
        for row, ids in enumerate(made[:, -_LAST_TOKENS:].tolist()):
            if self.lengths[row] is None and self._occurs(self._stops[row], ids):
                self.lengths[row] = made.shape[1]
        return torch.tensor([length is not None for length in self.lengths], device=input_ids.device)

    def _occurs(self, stop: re.Pattern[str] | None, ids: list[int]) -> bool:
        return stop is not None and stop.search(self._tokenizer.decode(ids, skip_special_tokens=True)) is not None
