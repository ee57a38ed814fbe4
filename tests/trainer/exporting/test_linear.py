"""Which layers of a model are rounded."""

from pathlib import Path

import torch
from alignment_trainer.exporting.limits import size_fault
from alignment_trainer.exporting.linear import linear_layers
from alignment_trainer.exporting.sizes import size_of
from alignment_trainer.exporting.writing import bits
from transformers import GPT2Config, GPT2LMHeadModel


def test_the_layers_of_gpt2_are_rounded_too(tmp_path: Path) -> None:
    original, written = tmp_path / "original", tmp_path / "written"
    GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=64, n_head=2, vocab_size=128)).save_pretrained(original)
    layers = linear_layers(original)
    shapes = {"attn.c_attn": 64 * 192, "attn.c_proj": 64 * 64, "mlp.c_fc": 64 * 256, "mlp.c_proj": 256 * 64}
    assert layers == {f"transformer.h.0.{name}": size for name, size in shapes.items()}
    bits.write(original, written, "Int8", torch.device("cpu"))
    assert size_fault("Int8", sum(layers.values()), size_of(written, layers)) is None
