"""The linear layers of a model, whose weights alone are quantized."""

from pathlib import Path

import torch
from transformers.pytorch_utils import Conv1D

from alignment_trainer.models import skeleton


def linear_layers(folder: Path) -> dict[str, int]:
    """Return how many weights each linear layer has, but for the head, by its name."""
    model = skeleton.build(folder)
    head = model.get_output_embeddings()
    # GPT-2 has Conv1D in place of Linear, which bitsandbytes also rounds.
    kinds = (torch.nn.Linear, Conv1D)
    layers = ((name, layer) for name, layer in model.named_modules() if isinstance(layer, kinds) and layer is not head)
    return {name: layer.weight.numel() for name, layer in layers}
