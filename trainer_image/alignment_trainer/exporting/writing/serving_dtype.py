"""The dtype of what is not quantized in a written model."""

from pathlib import Path

import torch
from transformers import AutoConfig


def serving_dtype(folder: Path) -> torch.dtype:
    """Return the 16-bit dtype of a model; weights that were trained in 32 bit get bfloat16, as servers compute."""
    dtype = AutoConfig.from_pretrained(folder, trust_remote_code=False).dtype
    return torch.float16 if dtype == torch.float16 else torch.bfloat16
