"""What is in a folder of weights, read from the files' headers alone: tensors, how many numbers they hold, a digest."""

import json
import math
import struct
from pathlib import Path
from typing import Any

from alignment_trainer.workspace.hashes import hash_files

_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"


def weights_digest(folder: Path) -> str:
    """Hash the weights of a model, names and contents of all its files of them, whatever else lies beside them."""
    return hash_files(weight_files(folder))


def configuration_digest(folder: Path) -> str:
    """Hash what says how a model computes with its weights, such as its positions and an adapter's scale."""
    return hash_files(path for path in (folder / "config.json", folder / "adapter_config.json") if path.exists())


def weight_files(folder: Path) -> list[Path]:
    """List the files that a model is loaded from; some models lie there a second time, in the form of other programs."""
    if (folder / _WHOLE).exists():
        return [folder / _WHOLE]
    if (folder / _INDEX).exists():
        names = set(json.loads((folder / _INDEX).read_text(encoding="utf-8"))["weight_map"].values())
        return [folder / name for name in sorted(names)]
    return sorted(folder.glob("*.safetensors"))


def empty_tensors(folder: Path) -> list[str]:
    """Name the tensors without content: weights that were shared out and never collected again look so."""
    return [
        name
        for path in sorted(folder.glob("*.safetensors"))
        for name, tensor in header(path)[1].items()
        if math.prod(tensor["shape"]) == 0
    ]


def parameter_count(folder: Path) -> int:
    """Count the numbers in the weights of a model."""
    return sum(math.prod(tensor["shape"]) for path in weight_files(folder) for tensor in header(path)[1].values())


def header(path: Path) -> tuple[int, dict[str, Any]]:
    """Read where a file's tensors begin, and what it says of each."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        entries: dict[str, Any] = json.loads(file.read(length))
        entries.pop("__metadata__", None)
        return 8 + length, entries
