"""A failure to load a model is permanent; what the machine or another process caused keeps its meaning."""

import errno

import pytest
import torch
from alignment_trainer.failures import BadConfiguration, BadData
from alignment_trainer.models.load_faults import loading


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (KeyError("gelu9"), "KeyError: 'gelu9'"),
        (ValueError("\n  first\nsecond"), "ValueError: first"),
        (RuntimeError("size mismatch for lm_head.weight"), "RuntimeError: size mismatch for lm_head.weight"),
        (AssertionError(), "AssertionError"),
        # Without a number: transformers raises it where a folder lacks a file.
        (OSError("model does not appear to have a file named vocab.json"), "OSError: model does not appear"),
    ],
)
def test_what_transformers_cannot_load_is_told_in_one_sentence(error, told):
    with pytest.raises(BadConfiguration) as refused, loading("its tokenizer", "spec.model.uri: workspace://model"):
        raise error
    sentence = str(refused.value)
    assert sentence.startswith(f"spec.model.uri: workspace://model: transformers cannot load its tokenizer ({told}")
    assert sentence.endswith("); copy the model's files again, or name another model")
    assert "\n" not in sentence


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:1] . DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("[gloo/transport/tcp/pair.cc:1] Connection closed by peer [10.0.0.1]:1"),
        OSError(errno.EIO, "Input/output error"),
        OSError(errno.ESTALE, "Stale file handle"),
        BadData("a sentence of its own"),
    ],
    ids=repr,
)
def test_other_failures_keep_their_meaning(error):
    with pytest.raises(type(error)) as raised, loading("its weights", "spec.model.uri: workspace://model"):
        raise error
    assert raised.value is error
