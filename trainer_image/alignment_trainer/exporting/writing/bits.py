"""Rounds weights to 8 or 4 bit with bitsandbytes."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from alignment_trainer.exporting.writing.serving_dtype import serving_dtype
from alignment_trainer.model_folder.headers import weight_files
from alignment_trainer.workspace.activity import reading


def how(quantization: str) -> BitsAndBytesConfig:
    """Return the number format of Int8 or Int4."""
    if quantization == "Int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16
    )


def write(original: Path, target: Path, quantization: str, device: torch.device) -> None:
    """Write a model in 8 or 4 bit."""
    with reading("rounding the weights", weight_files(original)):
        model: Any = AutoModelForCausalLM.from_pretrained(
            original,
            dtype=serving_dtype(original),
            quantization_config=how(quantization),
            device_map={"": device},
            trust_remote_code=False,
            use_safetensors=True,
        )
    # Nothing is computed before: on a CPU, bitsandbytes would repack the weights for its kernels and save them so.
    model.save_pretrained(target)
