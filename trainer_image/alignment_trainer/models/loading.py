"""Loads the weights of a model, in the dtype and quantization that a stage trains in."""

import inspect
from pathlib import Path
from typing import Any

import torch
from alignment_api.spec.combinations import packing_problem
from transformers import AutoConfig, AutoModelForCausalLM, BitsAndBytesConfig, set_seed

from alignment_trainer.failures import BadConfiguration
from alignment_trainer.settings.training import Settings


def load_model(folder: Path, settings: Settings) -> Any:
    """Load the weights in the dtype that the stage trains in."""
    configuration = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    longest = getattr(configuration, "max_position_embeddings", None)
    if longest and settings.max_length > longest:
        raise BadConfiguration(
            f"{settings.path}.maxLength: this model reads at most {longest} tokens, not {settings.max_length}; lower it"
        )
    # An adapter starts from random numbers, which must be the same in every process and attempt.
    set_seed(settings.seed)
    return AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=weights_dtype(settings),
        quantization_config=quantization(settings),
        trust_remote_code=False,
        use_safetensors=True,
    )


def weights_dtype(settings: Settings) -> torch.dtype:
    """Choose the dtype that weights are held in."""
    if settings.precision == "Float32":
        return torch.float32
    # Updates as small as 5e-7 vanish in 16 bit, so trained weights stay in 32 bit and only computation uses 16 bit.
    # DeepSpeed keeps its own copy in 32 bit, and with an adapter the weights are frozen.
    return torch.bfloat16 if settings.adapter or settings.sharding != "None" else torch.float32


def quantization(settings: Settings) -> BitsAndBytesConfig | None:
    """Return the 4-bit format of frozen weights; None if they are not quantized."""
    if not settings.adapter or not settings.adapter.quantized:
        return None
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if settings.precision == "BFloat16" else torch.float32,
    )


def check_packing(model: Any, settings: Settings) -> None:
    """Refuse packing for a model in which the examples of a packed row would attend to each other."""
    if "position_ids" not in inspect.signature(model.base_model.forward).parameters:
        raise BadConfiguration(str(packing_problem(settings.path, model.config.model_type)))
