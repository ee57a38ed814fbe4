"""Lets a model answer prompts, by default with the likeliest token each time, so that the same weights say the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList

NEW_TOKENS = 128
"""Maximum length of an answer: enough to see how it begins."""

AT_ONCE = 4
"""How many prompts are answered at once: more of them need more memory for keys and values."""


class Signs(NamedTuple):
    """The tokens that are no text."""

    padding: int
    ends: list[int]
    """An answer ends with the first of them."""


def greedy_answers(model: Any, prompts: list[list[int]], padding: int, ends: list[int], device: torch.device) -> list[list[int]]:
    """Return the ids of the answers, which end with the first of the `ends`; consumes no random numbers that training uses."""
    answers: list[list[int]] = []
    with ready_to_answer(model, device):
        # All processes have the same prompts, so they make the same calls, as sharding needs.
        for start in range(0, len(prompts), AT_ONCE):
            answers += answers_at_once(model, prompts[start : start + AT_ONCE], Signs(padding, ends), device, NEW_TOKENS)
    return answers


@contextmanager
def ready_to_answer(model: Any, device: torch.device) -> Iterator[None]:
    """Let the model answer without dropout, gradients, its own generation settings and any effect on random numbers."""
    model.eval()
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        torch.no_grad(),
        _without_own_generation(model),
    ):
        yield


def answers_at_once(
    model: Any,
    prompts: list[list[int]],
    signs: Signs,
    device: torch.device,
    most: int,
    drawing: LogitsProcessorList | None = None,
    stopping: StoppingCriteriaList | None = None,
) -> list[list[int]]:
    """Return the ids of the answers to a batch of prompts, padded after their end.

    `drawing` may choose other tokens, and `stopping` end answers before their end.
    """
    longest = max(map(len, prompts))
    ids = [[signs.padding] * (longest - len(prompt)) + prompt for prompt in prompts]
    mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    # A mixture of experts may compute a load-balancing loss, which needs a mask for every token of a step: off here.
    balanced = {"output_router_logits": False} if getattr(model.config, "output_router_logits", False) else {}
    most = max(1, min(most, (readable_tokens(model) or longest + most) - longest))
    made = model.generate(
        input_ids=torch.tensor(ids, device=device),
        attention_mask=torch.tensor(mask, device=device),
        generation_config=GenerationConfig(
            do_sample=False, max_new_tokens=most, eos_token_id=signs.ends, pad_token_id=signs.padding
        ),
        logits_processor=drawing,
        stopping_criteria=stopping,
        **balanced,
    )
    answers: list[list[int]] = made[:, longest:].tolist()
    return answers


def readable_tokens(model: Any) -> int | None:
    """Return how many tokens the model can read at once, prompt and answer together; None if it does not say."""
    most: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return most


@contextmanager
def _without_own_generation(model: Any) -> Iterator[None]:
    """Take the generation settings that came with the model out of the way: it fills ours up with them, as several answers."""
    # An adapter's model has them in the model that it wraps.
    own = [(part, part.generation_config) for part in model.modules() if "generation_config" in vars(part)]
    for part, _ in own:
        part.generation_config = GenerationConfig()
    try:
        yield
    finally:
        for part, config in own:
            part.generation_config = config
