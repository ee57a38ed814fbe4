"""Which tokens attend to which: segments, the variable-length kernel's arguments and one full mask agree."""

from itertools import pairwise

import pytest
import torch
from alignment_trainer.preference.attention import attend, kernel_knows, takes_kernel
from alignment_trainer.preference.layout import attended
from torch.nn.functional import scaled_dot_product_attention

SITUATIONS = {
    "one pair": [(3, 4, 2)],
    "no prompt": [(0, 3, 4)],
    "one token each": [(1, 1, 1)],
    "no prompt and one token each": [(0, 1, 1)],
    "an answer of no token": [(3, 0, 2), (2, 2, 0)],
    "many": [(5, 2, 7), (0, 1, 3), (1, 1, 1), (9, 4, 4), (2, 6, 1)],
}
HEADS = {"all heads with keys": (4, 4), "two heads share keys": (4, 2), "all heads share keys": (4, 1)}
SIZE = 8


def mask_of(segments):
    """Return for each token which tokens it attends to."""
    total = sum(map(sum, segments))
    sees, start = torch.zeros(total, total, dtype=torch.bool), 0
    for prompt, chosen, rejected in segments:
        answer = start + prompt + chosen
        for token in range(start, answer):
            sees[token, start : token + 1] = True
        for token in range(answer, answer + rejected):
            sees[token, start : start + prompt] = True
            sees[token, answer : token + 1] = True
        start = answer + rejected
    return sees


def inputs(segments, heads):
    torch.manual_seed(1)
    total = sum(map(sum, segments))
    return [torch.randn(1, each, total, SIZE, dtype=torch.float64, requires_grad=True) for each in (heads[0], heads[1], heads[1])]


def dense(query, key, value, segments, scaling):
    grouped = query.shape[1] != key.shape[1]
    answer = scaled_dot_product_attention(query, key, value, attn_mask=mask_of(segments), scale=scaling, enable_gqa=grouped)
    return answer.transpose(1, 2)


def bottom_right(query, key, value, bounds, scaling):
    """Compute what the kernel computes, sequence by sequence: the last query attends to all keys."""
    answers = []
    for (first, last), (first_key, last_key) in zip(*map(pairwise, bounds), strict=True):
        queries = query[first:last].transpose(0, 1)
        keys, values = (each[first_key:last_key].transpose(0, 1) for each in (key, value))
        repeat = queries.shape[0] // keys.shape[0]
        keys, values = (each.repeat_interleave(repeat, dim=0) for each in (keys, values))
        more = keys.shape[1] - queries.shape[1]
        assert more >= 0, "each query sees something"
        hidden = torch.ones(queries.shape[1], keys.shape[1], dtype=torch.bool).triu(more + 1)
        weights = (queries @ keys.transpose(1, 2) * scaling).masked_fill(hidden, float("-inf")).softmax(dim=-1)
        answers.append((weights @ values).transpose(0, 1))
    return torch.cat(answers).unsqueeze(0)


def with_gradients(answer, tensors):
    torch.manual_seed(2)
    return [answer, *torch.autograd.grad(answer, tensors, torch.randn(answer.shape, dtype=answer.dtype))]


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_segments_agree_with_one_full_mask(situation, heads):
    segments, tensors, scaling = SITUATIONS[situation], inputs(SITUATIONS[situation], HEADS[heads]), 0.3
    answer, _ = attend(None, *tensors, None, segments=segments, scaling=scaling, dropout=0.0, **attended(segments))
    expected = dense(*tensors, segments, scaling)
    torch.testing.assert_close(with_gradients(answer, tensors), with_gradients(expected, tensors))


@pytest.mark.parametrize("heads", HEADS)
@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_kernels_arguments_agree_with_the_segments(situation, heads):
    segments, tensors, scaling = SITUATIONS[situation], inputs(SITUATIONS[situation], HEADS[heads]), 0.3
    found = attended(segments)
    query, key, value = (tensor.squeeze(0).transpose(0, 1) for tensor in tensors)
    tokens, bounds = found["key_tokens"], [found["query_bounds"].tolist(), found["key_bounds"].tolist()]
    answer = bottom_right(query, key[tokens], value[tokens], bounds, scaling)
    expected, _ = attend(None, *tensors, None, segments=segments, scaling=scaling)
    torch.testing.assert_close(with_gradients(answer, tensors), with_gradients(expected, tensors))
    sizes = [[after - before for before, after in pairwise(each)] for each in bounds]
    assert (found["most_queries"], found["most_keys"]) == (max(sizes[0]), max(sizes[1]))
    assert bounds[1][-1] == len(tokens)


def test_an_answer_does_not_attend_to_the_other_answer_or_other_pairs():
    segments = [(2, 3, 2), (1, 2, 2)]
    tensors = inputs(segments, (2, 2))
    before, _ = attend(None, *tensors, None, segments=segments)
    with torch.no_grad():
        for tensor in tensors:
            tensor[:, :, 2:5] += 1
    after, _ = attend(None, *tensors, None, segments=segments)
    changed = (before != after).flatten(2).any(dim=2)[0].nonzero().flatten().tolist()
    assert changed == [2, 3, 4]


def test_different_dtypes_are_cast_to_one():
    segments = [(2, 3, 2)]
    query, key, value = (tensor.detach() for tensor in inputs(segments, (2, 2)))
    answer, _ = attend(None, query.float(), key.float(), value.bfloat16(), None, segments=segments)
    assert answer.dtype == torch.bfloat16


def test_without_segments_it_is_ordinary_attention():
    module = torch.nn.Module()
    module.is_causal = True
    tensors = inputs([(5, 0, 0)], (4, 4))
    answer, _ = attend(module, *tensors, None, scaling=0.3, dropout=0.0)
    torch.testing.assert_close(answer, dense(*tensors, [(5, 0, 0)], 0.3))


@pytest.mark.parametrize(
    ("number", "head_size", "capability", "knows"),
    [
        (torch.bfloat16, 128, (8, 0), True),
        (torch.float16, 256, (9, 0), True),
        (torch.float32, 128, (8, 0), False),
        (torch.bfloat16, 100, (8, 0), False),
        (torch.bfloat16, 264, (8, 0), False),
        (torch.bfloat16, 128, (7, 5), False),
    ],
)
def test_which_inputs_the_kernel_takes(number, head_size, capability, knows):
    assert kernel_knows(number, head_size, capability) == knows


def test_the_kernel_is_not_used_on_cpus():
    assert not takes_kernel(torch.zeros(1, 1, 1, 8, dtype=torch.bfloat16))
