"""What is in a folder of weights, read from the files' headers alone: tensors, how many numbers they hold, a digest."""

import json
import math
import struct
from pathlib import Path
from typing import Any

from alignment_trainer.checkpoints import hash_files


def weights_digest(folder: Path) -> str:
    """Hash the weights of a model, whatever else lies beside them."""
    return hash_files(sorted(folder.glob("*.safetensors")))


def configuration_digest(folder: Path) -> str:
    """Hash what says how a model computes with its weights, such as its positions and an adapter's scale."""
    return hash_files(path for path in (folder / "config.json", folder / "adapter_config.json") if path.exists())


def empty_tensors(folder: Path) -> list[str]:
    """Name the tensors without content: weights that were shared out and never collected again look so."""
    return [
        name
        for path in sorted(folder.glob("*.safetensors"))
        for name, tensor in _header(path).items()
        if name != "__metadata__" and math.prod(tensor["shape"]) == 0
    ]


def parameter_count(folder: Path) -> int:
    """Count the numbers in the weights of a model."""
    return sum(
        math.prod(tensor["shape"])
        for path in folder.glob("*.safetensors")
        for name, tensor in _header(path).items()
        if name != "__metadata__"
    )


def _header(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header: dict[str, Any] = json.loads(file.read(length))
        return header
