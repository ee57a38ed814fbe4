"""Bytes per weight in each way of training, compared with what PyTorch, PEFT and bitsandbytes hold."""

from typing import Any

import bitsandbytes.functional
import bitsandbytes.optim
import pytest
import torch
from alignment_api.memory.estimate import estimate, merging_bytes, trained_parameters
from alignment_api.memory.known_sizes import known_shape
from alignment_api.memory.shape import shape_of
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM
from workloads import LORA, QLORA, a_workload

MISTRAL = known_shape("hf://mistralai/Mistral-7B-v0.1")
assert MISTRAL is not None
PAIRS = {"compares_pairs": True}
EIGHT_BIT = {"optim_bits": 8}


@pytest.mark.parametrize(
    ("settings", "weights", "gradients", "optimizer"),
    [
        ({}, 4, 4, 8),
        ({"is_16_bit": False}, 4, 4, 8),
        (PAIRS, 4, 4, 8),
        ({"processes": 8}, 4, 8, 8),
        ({**PAIRS, "processes": 8, "sharding": "ZeRO1"}, 2, 2, 12 / 8),
        ({**PAIRS, "processes": 8, "sharding": "ZeRO2"}, 2, 2 / 8, 12 / 8),
        ({**PAIRS, "processes": 8, "sharding": "ZeRO3"}, 2 / 8, 2 / 8, 12 / 8),
        ({"is_16_bit": False, "processes": 8, "sharding": "ZeRO3"}, 4 / 8, 4 / 8, 12 / 8),
        ({**PAIRS, "processes": 8, "sharding": "ZeRO2", "offload": "Optimizer"}, 2, 0, 0),
        ({"processes": 8, "sharding": "ZeRO1", "offload": "Optimizer"}, 2, 2, 0),
        ({**PAIRS, "processes": 8, "sharding": "ZeRO3", "offload": "OptimizerAndParameters"}, 0, 0, 0),
        ({"optimizer": "RMSprop"}, 4, 4, 4),
        ({"optimizer": "AdamW8bit"}, 4, 4, 2.03125 + 5.96875 * 32000 * 4096 / MISTRAL.parameters),
        ({"optimizer": "PagedAdamW32bit"}, 4, 4, 0),
        ({"optimizer": "AdamW8bit", "processes": 2, "sharding": "ZeRO2"}, 2, 2 / 2, 6.03125 / 2),
    ],
)
def test_bytes_per_weight(settings: dict[str, Any], weights: float, gradients: float, optimizer: float) -> None:
    needed = estimate(MISTRAL, a_workload(**settings))
    found = (needed.weights, needed.gradients, needed.optimizer)
    assert [part / MISTRAL.parameters for part in found] == pytest.approx([weights, gradients, optimizer], abs=1e-6)


@pytest.mark.parametrize(
    ("settings", "beside", "trained"),
    [
        ({"adapter": LORA}, 2, 4 + 4 + 8),
        ({"adapter": LORA, **PAIRS}, 2, 4 + 4 + 8),
        ({"adapter": LORA, "is_16_bit": False}, 4, 4 + 4 + 8),
        ({"adapter": LORA, "processes": 8, "sharding": "ZeRO2"}, 2, 2 + 2 / 8 + 12 / 8),
        ({"adapter": LORA, "processes": 8, "sharding": "ZeRO3"}, 2 / 8, (2 + 2 + 12) / 8),
        ({"adapter": QLORA, "optimizer": "AdamW8bit"}, None, 2 + 2 + 2.03125),
    ],
)
def test_beside_an_adapter_the_weights_are_only_held(settings: dict[str, Any], beside: float | None, trained: float) -> None:
    work = a_workload(**settings)
    others = MISTRAL.parameters - MISTRAL.linear_parameters
    weights = others * 2 + MISTRAL.linear_parameters * 0.515869140625 if beside is None else MISTRAL.parameters * beside
    assert estimate(MISTRAL, work).held == pytest.approx(weights + trained_parameters(MISTRAL, work) * trained, rel=1e-6)


@pytest.mark.parametrize(
    ("change", "smaller"),
    [
        ({"gradient_checkpointing": True}, "activations"),
        ({"micro_batch_size": 1}, "activations"),
        ({"micro_batch_size": 1}, "logits"),
        ({"max_length": 512}, "logits"),
        ({"adapter": LORA}, "logits"),
        ({"packs": False}, "buffers"),
        ({"sharding": "ZeRO3"}, "update"),
    ],
)
def test_what_makes_a_part_smaller(change: dict[str, Any], smaller: str) -> None:
    large = a_workload(gradient_checkpointing=False, micro_batch_size=4, packs=True, processes=8)
    assert getattr(estimate(MISTRAL, large._replace(**change)), smaller) < getattr(estimate(MISTRAL, large), smaller)


MASK = 3 * 2048**2


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"is_16_bit": False}, 5 * 2048**2),
        ({}, MASK + 2 * MISTRAL.linear_parameters),
        ({"adapter": LORA}, MASK),
        ({"adapter": LORA, "compares_pairs": True}, 2 * MASK),
        ({"adapter": LORA, "micro_batch_size": 4}, 4 * MASK),
        ({"adapter": LORA, "micro_batch_size": 4, "packs": True}, 16 * MASK),
        ({"adapter": QLORA}, MASK + 4096 * 14336 * 2),
        ({"sharding": "ZeRO2", "processes": 8}, MASK + 2 * 5 * 10**8 * 2),
        ({"sharding": "ZeRO3", "processes": 8}, MASK + (10**9 + 4096**2) * 2),
    ],
)
def test_buffers(settings: dict[str, Any], size: int) -> None:
    assert estimate(MISTRAL, a_workload(**settings)).buffers == size


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({}, 4 * MISTRAL.parameters),
        ({"optimizer": "RMSprop"}, 4 * MISTRAL.parameters),
        ({"optimizer": "AdamW8bit"}, 0),
        ({"sharding": "ZeRO2", "processes": 2}, 8 * MISTRAL.parameters // 2),
        ({"sharding": "ZeRO3", "processes": 2}, 8 * 10**9),
        ({"sharding": "ZeRO3", "processes": 16}, 8 * (MISTRAL.parameters // 16)),
        ({"sharding": "ZeRO2", "processes": 2, "offload": "Optimizer"}, 0),
    ],
)
def test_the_update(settings: dict[str, Any], size: int) -> None:
    assert estimate(MISTRAL, a_workload(**settings)).update == size


def test_dropout_keeps_a_byte_for_each_input_of_an_adapter() -> None:
    without, with_dropout = (
        estimate(MISTRAL, a_workload(adapter=LORA._replace(drops=drops), gradient_checkpointing=False)) for drops in (False, True)
    )
    # Six matrices read the hidden size, one the inner width of the feed-forward part.
    assert with_dropout.activations - without.activations == 32 * 2048 * (6 * 4096 + 14336)


@pytest.mark.parametrize("family", ["mistral", "qwen2", "qwen3", "gemma", "phi", "bloom"])
def test_the_adapters_that_peft_makes_are_counted(family: str) -> None:
    configuration = AutoConfig.for_model(family, vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4)
    model = get_peft_model(AutoModelForCausalLM.from_config(configuration), LoraConfig(r=4, target_modules="all-linear"))
    counted = trained_parameters(shape_of(configuration.to_dict()), a_workload(adapter=LORA._replace(rank=4)))
    assert counted == sum(part.numel() for part in model.parameters() if part.requires_grad)


def test_named_layers_alone_are_counted() -> None:
    work = a_workload(adapter=LORA._replace(layers=("q_proj", "self_attn.v_proj")))
    assert trained_parameters(MISTRAL, work) == 32 * 16 * ((4096 + 4096) + (4096 + 1024))


@pytest.mark.parametrize(
    ("name", "optimizer", "settings"),
    [("AdamW", torch.optim.AdamW, {}), ("RMSprop", torch.optim.RMSprop, {}), ("AdamW8bit", bitsandbytes.optim.AdamW, EIGHT_BIT)],
    ids=["AdamW", "RMSprop", "AdamW8bit"],
)
def test_the_optimizers_hold_what_is_counted(name: str, optimizer: Any, settings: dict[str, Any]) -> None:
    weight = torch.nn.Parameter(torch.ones(2**20))
    weight.grad = torch.ones(2**20)
    real = optimizer([weight], **settings)
    real.step()
    # Counters and tables that all weights share are not counted.
    states = {key: part for key, part in real.state[weight].items() if torch.is_tensor(part) and part.numel() > 256}
    work = a_workload(optimizer=name, adapter=LORA)
    held = sum(part.nbytes for part in states.values()) / 2**20
    assert held == pytest.approx(estimate(MISTRAL, work).optimizer / trained_parameters(MISTRAL, work), rel=1e-6)


def test_a_quantized_matrix_is_as_large_as_bitsandbytes_makes_it() -> None:
    count = 1024 * 1024
    packed, state = bitsandbytes.functional.quantize_4bit(torch.randn(1024, 1024), compress_statistics=True, quant_type="nf4")
    held = packed.nbytes + state.absmax.nbytes + state.state2.absmax.nbytes
    plain, quantized = (estimate(MISTRAL, a_workload(adapter=adapter)).weights for adapter in (LORA, QLORA))
    adapters = trained_parameters(MISTRAL, a_workload(adapter=LORA)) * (4 - 2)
    assert (plain - quantized - adapters) / MISTRAL.linear_parameters == pytest.approx(2 - held / count, abs=1e-6)


UP = 4096 * 14336


@pytest.mark.parametrize(
    ("settings", "numbers"),
    [
        ({"adapter": LORA}, 10 * UP),
        ({"adapter": LORA, "is_16_bit": False}, 12 * UP),
        ({"adapter": QLORA}, 16 * UP),
        ({"adapter": LORA._replace(layers=("q_proj", "v_proj"))}, 10 * 4096 * 4096),
        ({"adapter": QLORA._replace(layers=("q_proj", "v_proj"))}, 16 * UP),
    ],
)
def test_merging_takes_one_layer_of_the_host(settings: dict[str, Any], numbers: int) -> None:
    assert merging_bytes(MISTRAL, a_workload(**settings)) == numbers + 2**25


def test_without_an_adapter_nothing_is_merged() -> None:
    assert merging_bytes(MISTRAL, a_workload()) == 0
