"""Attention in which each answer of a pair attends to its prompt and itself, and not to the other answer or other pairs."""

import functools
from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from alignment_trainer.preference.layout import Segment

NAME = "shared_prompts"


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    segments: Sequence[Segment] | None = None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attend within the segments of pairs; without segments, run torch's ordinary attention."""
    if segments is None:
        # PairModel passes a mask of a single number together with segments. If a layer drops the segments, that mask lets
        # every token attend to every other one.
        is_placeholder = attention_mask is not None and attention_mask.numel() == 1 and key.shape[2] > 1
        assert not is_placeholder, f"{type(module).__name__} did not receive the segments that its model was called with"
        answer: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **options
        )
        return answer
    # Some models apply rotary embeddings in 32 bit and the rest in 16; kernels need one dtype.
    query, key = query.to(value.dtype), key.to(value.dtype)
    if takes_kernel(query):
        return _by_kernel(query, key, value, scaling, options), None
    return torch.cat(_one_by_one(query, key, value, segments, scaling), dim=2).transpose(1, 2), None


def takes_kernel(query: torch.Tensor) -> bool:
    """Return whether torch's variable-length kernel is used."""
    return query.is_cuda and kernel_knows(query.dtype, query.shape[-1], torch.cuda.get_device_capability(query.device))


def kernel_knows(number: torch.dtype, head_size: int, capability: tuple[int, int]) -> bool:
    """Return whether torch's kernel takes this dtype and head size on this GPU; it does not pad heads itself."""
    is_known_head = head_size <= 256 and head_size % 8 == 0
    return number in (torch.bfloat16, torch.float16) and is_known_head and capability >= (8, 0)


def _by_kernel(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float | None, options: dict[str, Any]
) -> torch.Tensor:
    query, key, value = (tensor.squeeze(0).transpose(0, 1) for tensor in (query, key, value))
    tokens = options["key_tokens"]
    answer = varlen_attn(
        query.contiguous(),
        key.index_select(0, tokens),
        value.index_select(0, tokens),
        options["query_bounds"],
        options["key_bounds"],
        options["most_queries"],
        options["most_keys"],
        scale=scaling,
        # Causal, aligned at the end: the last query attends to all keys, even when there are more keys than queries.
        window_size=(-1, 0),
        enable_gqa=query.shape[1] != key.shape[1],
    )
    assert isinstance(answer, torch.Tensor)
    return answer.unsqueeze(0)


def _one_by_one(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, segments: Sequence[Segment], scaling: float | None
) -> list[torch.Tensor]:
    sizes = [size for prompt, chosen, rejected in segments for size in (prompt + chosen, rejected)]
    attention = functools.partial(scaled_dot_product_attention, scale=scaling, enable_gqa=query.shape[1] != key.shape[1])
    queries, keys, values = (torch.split(tensor, sizes, dim=2) for tensor in (query, key, value))
    masks = _masks(tuple(segments), query.device, query.dtype)
    answers = []
    for number, (prompt, _, _) in enumerate(segments):
        first, second = 2 * number, 2 * number + 1
        answers.append(attention(queries[first], keys[first], values[first], is_causal=True))
        seen_keys, seen_values = (torch.cat([each[first][:, :, :prompt], each[second]], dim=2) for each in (keys, values))
        answers.append(attention(queries[second], seen_keys, seen_values, attn_mask=masks[number]))
    return answers


@functools.lru_cache(maxsize=1)
def _masks(segments: tuple[Segment, ...], device: torch.device, number: torch.dtype) -> list[torch.Tensor]:
    """Return the masks of a row's rejected answers; all layers share them."""
    return [_mask(prompt, rejected, device, number) for prompt, _, rejected in segments]


def _mask(prompt: int, rejected: int, device: torch.device, number: torch.dtype) -> torch.Tensor:
    """Return the additive mask of an answer that attends to its prompt, and causally to itself."""
    sees = torch.ones(rejected, prompt + rejected, dtype=torch.bool, device=device).tril(prompt)
    return torch.zeros(sees.shape, device=device, dtype=number).masked_fill(~sees, float("-inf"))


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
