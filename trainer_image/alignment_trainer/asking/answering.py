"""Lets a model answer prompts greedily: the likeliest token each time, so that the same weights give the same answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import GenerationConfig

NEW_TOKENS = 128
"""Maximum length of an answer: enough to see how it begins."""

AT_ONCE = 4
"""How many prompts are answered at once: more of them need more memory for keys and values."""


def greedy_answers(model: Any, prompts: list[list[int]], padding: int, ends: list[int], device: torch.device) -> list[list[int]]:
    """Return the ids of the answers, which end with the first of the `ends`; consumes no random numbers that training uses."""
    model.eval()
    answers: list[list[int]] = []
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        torch.no_grad(),
        _without_own_generation(model),
    ):
        # All processes have the same prompts, so they make the same calls, as sharding needs.
        for start in range(0, len(prompts), AT_ONCE):
            answers += _answers(model, prompts[start : start + AT_ONCE], padding, ends, device)
    return answers


def _answers(model: Any, prompts: list[list[int]], padding: int, ends: list[int], device: torch.device) -> list[list[int]]:
    longest = max(map(len, prompts))
    ids = [[padding] * (longest - len(prompt)) + prompt for prompt in prompts]
    mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    # A mixture of experts may compute a load-balancing loss, which needs a mask for every token of a step: off here.
    balanced = {"output_router_logits": False} if getattr(model.config, "output_router_logits", False) else {}
    room = getattr(model.config.get_text_config(), "max_position_embeddings", None) or longest + NEW_TOKENS
    most = max(1, min(NEW_TOKENS, room - longest))
    made = model.generate(
        input_ids=torch.tensor(ids, device=device),
        attention_mask=torch.tensor(mask, device=device),
        generation_config=GenerationConfig(do_sample=False, max_new_tokens=most, eos_token_id=ends, pad_token_id=padding),
        **balanced,
    )
    answers: list[list[int]] = made[:, longest:].tolist()
    return answers


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
