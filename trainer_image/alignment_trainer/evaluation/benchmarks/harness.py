"""Lets lm-eval ask a model that is loaded already: by memory how many rows at once, quietly, and each model call counted."""

import logging
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from alignment_trainer.evaluation.likelihood import most_tokens
from alignment_trainer.evaluation.subject import Subject
from alignment_trainer.synthesis.student import token_budget

# It says at each prompt that it cuts it, and at each start what a user of its command line may want to set.
logging.getLogger("lm_eval").setLevel(logging.ERROR)
_MOST_ROWS = 64
_NO_SLICES = 1 << 30
SOFTMAX = "float32"
"""In 16 bit, as lm-eval computes it unless told otherwise, choices would often be equally likely."""


class Harness(HFLM):  # type: ignore[misc]
    """lm-eval's way to a model in transformers. It sees one process: the rows are shared out before it is asked."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(
            pretrained=subject.model, tokenizer=subject.tokenizer, backend="causal", batch_size=1, softmax_dtype=SOFTMAX
        )
        self.calls = 0
        """How often the model was called, in this process."""
        self.cut: set[str] = set()
        """Prompts that were too long for the model, so that lm-eval left out their beginning."""
        self._is_exact = subject.exact
        self._likelihood_tokens = most_tokens(subject)
        self._answer_tokens = token_budget(subject.student)

    def loglikelihood(self, requests: list[Instance], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        found: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm=True)
        return found

    def _loglikelihood_tokens(
        self, requests: list[Any], disable_tqdm: bool = False, override_bs: int | None = None
    ) -> list[tuple[float, bool]]:
        if not requests:
            # Empty texts have no token.
            return []
        lengths = [len(context) + len(wanted) for _, context, wanted in requests]
        self.cut |= {
            asked[0] for (asked, *_), tokens in zip(requests, lengths, strict=True) if asked and tokens > self.max_length + 1
        }
        self._take(self._likelihood_tokens, min(max(lengths), self.max_length))
        found: list[tuple[float, bool]] = super()._loglikelihood_tokens(requests, disable_tqdm=True)
        return found

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        # All windows of the texts at once: how many are computed together is decided below it.
        self.batch_size_per_gpu = _NO_SLICES
        found: list[float] = super().loglikelihood_rolling(requests, disable_tqdm=True)
        return found

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        lengths = {request.args[0]: len(self.tok_encode(request.args[0])) for request in requests}
        answer = max(request.args[1].get("max_gen_toks", self.max_gen_toks) for request in requests)
        self.cut |= {asked for asked, tokens in lengths.items() if tokens > self.max_length - answer}
        self._take(self._answer_tokens, min(max(lengths.values()) + answer, self.max_length))
        found: list[str] = super().generate_until(requests, disable_tqdm=True)
        return found

    def _take(self, most: int, longest: int) -> None:
        self.batch_size_per_gpu = 1 if self._is_exact else max(1, min(_MOST_ROWS, most // longest))

    def _model_call(self, inps: torch.Tensor, attn_mask: Any = None, labels: Any = None) -> torch.Tensor:
        self.calls += 1
        with torch.no_grad():
            # Keys and values would take as much memory as the logits, and nothing reads them.
            found: torch.Tensor = self.model(inps, use_cache=False).logits
        return found

    def _model_generate(self, *given: Any, **options: Any) -> torch.Tensor:
        self.calls += 1
        found: torch.Tensor = super()._model_generate(*given, **options)
        return found
