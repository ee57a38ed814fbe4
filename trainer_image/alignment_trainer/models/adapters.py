"""Adds a LoRA adapter to a model."""

from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from alignment_trainer.failures import BadConfiguration
from alignment_trainer.settings.training import Settings


def lora(settings: Settings, model: Any) -> LoraConfig | None:
    """Return the configuration of the adapter to train; None if all weights are trained."""
    if not settings.adapter:
        return None
    targets, layers = settings.adapter.target_modules, linear_layers(model)
    unknown = [target for target in targets or [] if target.rpartition(".")[2] not in layers]
    if unknown:
        raise BadConfiguration(
            f"{settings.path}.adapter.lora.targetModules: the model has no linear layer {unknown[0]}; "
            f"use some of {', '.join(layers)}, or leave targetModules out"
        )
    return LoraConfig(
        r=settings.adapter.rank,
        lora_alpha=settings.adapter.alpha,
        lora_dropout=settings.adapter.dropout,
        target_modules=targets or layers,
        task_type="CAUSAL_LM",
    )


def with_adapter(model: Any, adapter: LoraConfig | None, settings: Settings) -> Any:
    """Add an adapter to a model, whose own weights are then frozen."""
    if adapter is None:
        return model
    quantized = bool(settings.adapter and settings.adapter.quantized)
    # ZeRO-3 gathers weights of one dtype only; otherwise adapters are trained in 32 bit.
    adapted = get_peft_model(model, adapter, autocast_adapter_dtype=quantized or settings.sharding != "ZeRO3")
    if quantized:
        # As the authors of QLoRA do (arXiv 2305.14314, section 3).
        for weight in adapted.parameters():
            weight.data = weight.data.to(torch.bfloat16) if weight.requires_grad else weight.data
    if settings.gradient_checkpointing:
        adapted.enable_input_require_grads()
    return adapted


def linear_layers(model: Any) -> list[str]:
    """Return the names of the model's linear layers, without the head."""
    head = model.get_output_embeddings()
    return sorted(
        {
            name.rpartition(".")[2]
            for name, layer in model.named_modules()
            if isinstance(layer, torch.nn.Linear) and layer is not head
        }
    )
