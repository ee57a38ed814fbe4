"""Checks that a written folder is what a server needs: unchanged weights, its tokenizer, its template, its end tokens."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from alignment_trainer.exporting.proving.request import Rendered
from alignment_trainer.exporting.writing.end_tokens import written_ends
from alignment_trainer.model_folder.weights import weights_digest

NEW_TOKENS = {"cuda": 512, "cpu": 64}
"""Longest answer that shows whether a model stops; on a CPU, weights in 8 bit are slow."""


def weights_fault(folder: Path, expected: str) -> str | None:
    """Return what is wrong with the bytes of the weights, before anything is loaded from them."""
    found = weights_digest(folder)
    if found == expected:
        return None
    return f"has weights with the hash {found[:12]}, and {expected[:12]} were written, so the volume has changed them"


def tokenizer_faults(tokenizer: Any, rendered: list[Rendered]) -> Iterator[str]:
    """Yield what a tokenizer makes of messages otherwise than the original's."""
    for one in rendered:
        if one.messages is not None and tokenizer.chat_template is None:
            yield "has lost its chat template"
            return
        found = ids_of(tokenizer, one)
        if found != one.ids:
            yield f"makes {len(found)} tokens of {one.text[:60]!r}, and the original makes others, {len(one.ids)} of them"
            return


def loading_faults(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield which weights transformers has made up, since the files have none of their name or shape."""
    absent = sorted({*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])})
    if absent:
        yield f"lacks {absent[0]} and {len(absent) - 1} more of the tensors that its model needs"


def vocabulary_faults(model: Any, tokenizer: Any) -> Iterator[str]:
    """Yield where the sizes of vocabulary, configuration and embeddings disagree."""
    rows, named = model.get_input_embeddings().weight.shape[0], model.config.get_text_config().vocab_size
    if rows != named:
        yield f"has {rows} rows of embeddings, and its config.json says {named}"
    if len(tokenizer) > rows:
        yield f"has {len(tokenizer)} tokens, and only {rows} rows of embeddings"


def end_faults(folder: Path, tokenizer: Any, expected: list[int]) -> Iterator[str]:
    """Yield end tokens of the original at which a server would not stop."""
    missing = sorted(set(expected) - set(written_ends(folder)))
    if missing:
        words = ", ".join(map(str, tokenizer.convert_ids_to_tokens(missing)))
        yield f"does not name the end token {words} in generation_config.json, so a served model would not stop"


def ends_an_answer(model: Any, prompts: list[list[int]], ends: list[int]) -> bool:
    """Return whether a plain greedy answer to any of the prompts ends with an end token."""
    most = NEW_TOKENS["cpu" if model.device.type == "cpu" else "cuda"]
    for ids in prompts:
        given = torch.tensor([ids], device=model.device)
        with torch.inference_mode():
            made = model.generate(given, attention_mask=torch.ones_like(given), do_sample=False, max_new_tokens=most)
        if made[0, -1].item() in ends:
            return True
    return False


def ids_of(tokenizer: Any, one: Rendered) -> list[int]:
    """Return the tokens that plain transformers makes of messages."""
    if one.messages is None:
        return list(tokenizer(one.text)["input_ids"])
    text = tokenizer.apply_chat_template(one.messages, add_generation_prompt=True, tokenize=False)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])
