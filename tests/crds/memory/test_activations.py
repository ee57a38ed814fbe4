"""The counted bytes are those that torch keeps, for real models of every family."""

from typing import Any

import pytest
import torch
from alignment_api.memory.activations import activation_bytes
from alignment_api.memory.shape import shape_of
from alignment_api.memory.workload import Workload
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM
from workloads import LORA, a_workload

SEQUENCES, LENGTH, ROWS = 2, 200, 64
SIZES = {"vocab_size": ROWS, "hidden_size": 128, "num_attention_heads": 4}
GATED = {"intermediate_size": 352, "num_key_value_heads": 2, "head_dim": 32}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": GATED,
    "mistral": {**GATED, "sliding_window": None},
    "qwen2": {"intermediate_size": 352, "num_key_value_heads": 2},
    "qwen3": GATED,
    "gemma": GATED,
    "phi": {"intermediate_size": 512},
    "bloom": {},
}
WAYS = {
    "weights of 32 bit": {"is_16_bit": False},
    "autocast": {},
    "DeepSpeed's 16 bit": {"sharding": "ZeRO2"},
    "an adapter": {"adapter": LORA._replace(rank=1)},
}


def really_kept(configuration: Any, work: Workload) -> int:
    """Run a forward pass and add up the memory that autograd holds on to, without weights and their copies of 16 bit."""
    dtype = {2: torch.bfloat16, 4: torch.float32}[work.weight_bytes]
    model = AutoModelForCausalLM.from_config(configuration, dtype=dtype)
    backbone = model.base_model
    if work.adapter:
        model = get_peft_model(model, LoraConfig(r=work.adapter.rank, target_modules="all-linear"))
        model.enable_input_require_grads()
    if work.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    known = {part.untyped_storage().data_ptr() for part in (*model.parameters(), *model.buffers())}
    shapes = {tuple(part.shape) for part in model.parameters()} | {tuple(part.shape)[::-1] for part in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        address = tensor.untyped_storage().data_ptr()
        if address not in known and tuple(tensor.shape) not in shapes:
            kept[address] = tensor
        return tensor

    autocast = torch.autocast("cpu", torch.bfloat16, enabled=work.casts or (work.is_16_bit and work.adapter is not None))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), autocast:
        given = backbone(input_ids=torch.zeros((SEQUENCES, LENGTH), dtype=torch.long), use_cache=False)
    assert given.last_hidden_state.requires_grad
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


def kept_and_counted(family: str, work: Workload) -> tuple[int, int]:
    """Return the bytes that two more layers keep: measured, and as we count them."""
    kept, counted = [], []
    # What stands before and after the layers is the same in both.
    for layers in (1, 3):
        configuration = AutoConfig.for_model(family, num_hidden_layers=layers, **SIZES, **FAMILIES[family])
        kept.append(really_kept(configuration, work))
        counted.append(activation_bytes(shape_of(configuration.to_dict()), work))
    return kept[1] - kept[0], counted[1] - counted[0]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("family", FAMILIES)
def test_what_one_more_layer_keeps(family: str, way: str) -> None:
    work = a_workload(max_length=LENGTH, micro_batch_size=SEQUENCES, **{"gradient_checkpointing": False, **WAYS[way]})
    kept, counted = kept_and_counted(family, work)
    assert counted == pytest.approx(kept, rel=0.06)


@pytest.mark.parametrize("family", FAMILIES)
def test_with_checkpointing_a_layer_keeps_its_input_alone(family: str) -> None:
    work = a_workload(max_length=LENGTH, micro_batch_size=SEQUENCES)
    kept, counted = kept_and_counted(family, work)
    assert counted == pytest.approx(kept, rel=0.01)
