"""The shape from a config.json matches the model that transformers builds from it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from alignment_api.memory.shape import UnknownShape, shape_of
from transformers import AutoConfig, AutoModelForCausalLM

SIZES = {"vocab_size": 96, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4}
GATED = {"intermediate_size": 48, "num_key_value_heads": 2}

MODELS: list[tuple[str, dict[str, Any]]] = [
    ("llama", GATED),
    ("llama", {**GATED, "tie_word_embeddings": True, "attention_bias": True, "mlp_bias": True, "head_dim": 16}),
    ("mistral", GATED),
    ("mistral", {**GATED, "head_dim": 16}),
    ("qwen2", GATED),
    ("qwen2", {**GATED, "tie_word_embeddings": True}),
    ("qwen3", {**GATED, "head_dim": 16}),
    ("qwen3", {**GATED, "head_dim": 16, "attention_bias": True, "tie_word_embeddings": True}),
    ("gemma", {**GATED, "head_dim": 16}),
    ("gemma", {**GATED, "head_dim": 16, "tie_word_embeddings": False, "attention_bias": True}),
    ("phi", {"intermediate_size": 128}),
    ("phi", {**GATED, "qk_layernorm": True}),
    ("bloom", {}),
    ("bloom", {"tie_word_embeddings": False}),
]


def written(family: str, settings: dict[str, Any], folder: Path) -> tuple[torch.nn.Module, dict[str, Any]]:
    """Build a real model and give the config.json that it writes."""
    configuration = AutoConfig.for_model(family, **SIZES, **settings)
    configuration.save_pretrained(folder)
    return AutoModelForCausalLM.from_config(configuration), json.loads((folder / "config.json").read_text())


@pytest.mark.parametrize(("family", "settings"), MODELS, ids=lambda value: value if isinstance(value, str) else "+".join(value))
def test_every_weight_is_counted(family: str, settings: dict[str, Any], tmp_path: Path) -> None:
    model, config = written(family, settings, tmp_path)
    shape = shape_of(config)
    assert shape.is_known
    assert shape.parameters == model.num_parameters()
    layers = {
        name.rpartition(".")[2]: (layer.in_features, layer.out_features)
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear) and layer is not model.get_output_embeddings()
    }
    assert shape.linear_sizes == layers


def test_an_unknown_family_is_read_by_the_usual_names() -> None:
    shape = shape_of({"model_type": "novel", "n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 96})
    assert not shape.is_known
    assert (shape.hidden, shape.intermediate, shape.head_size, shape.key_value_heads) == (32, 128, 8, 4)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "llama"}, "its config.json has no hidden_size"),
        ({**SIZES, "num_attention_heads": [4, 8]}, "its config.json has no num_attention_heads"),
        ({**SIZES, "hidden_size": "32"}, "its config.json has no hidden_size"),
        ([], "its config.json is not a JSON object"),
        ({"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}, "its config.json has no vocab_size"),
        ({**SIZES, "num_local_experts": 8}, "it is a mixture of experts, whose parts this version cannot count"),
    ],
)
def test_a_shape_that_cannot_be_counted_is_refused_in_a_sentence(config: Any, reason: str) -> None:
    with pytest.raises(UnknownShape, match=reason):
        shape_of(config)
