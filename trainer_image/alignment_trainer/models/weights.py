"""The files of a folder of weights: which they are, their hash, and the tensors and parameter counts in their headers."""

import json
import math
import struct
from pathlib import Path
from typing import Any

from alignment_trainer.workspace.hashes import hash_files

_WHOLE, _INDEX = "model.safetensors", "model.safetensors.index.json"


def weights_digest(folder: Path) -> str:
    """Hash the names and contents of a model's weight files; other files in the folder do not count."""
    return hash_files(weight_files(folder))


def configuration_digest(folder: Path) -> str:
    """Hash the configuration files, which decide how a model computes with its weights, such as an adapter's scale."""
    return hash_files(path for path in (folder / "config.json", folder / "adapter_config.json") if path.exists())


def weight_files(folder: Path) -> list[Path]:
    """Return the files that a model is loaded from; some folders contain the model again in another format."""
    if (folder / _WHOLE).exists():
        return [folder / _WHOLE]
    if (folder / _INDEX).exists():
        names = set(json.loads((folder / _INDEX).read_text(encoding="utf-8"))["weight_map"].values())
        return [folder / name for name in sorted(names)]
    return sorted(folder.glob("*.safetensors"))


def empty_tensors(folder: Path) -> list[str]:
    """Return the names of empty tensors, which sharded weights leave if they were not gathered before saving."""
    return [
        name
        for path in sorted(folder.glob("*.safetensors"))
        for name, tensor in header(path)[1].items()
        if math.prod(tensor["shape"]) == 0
    ]


def parameter_count(folder: Path) -> int:
    """Return the number of parameters of a model."""
    return sum(math.prod(tensor["shape"]) for path in weight_files(folder) for tensor in header(path)[1].values())


def header(path: Path) -> tuple[int, dict[str, Any]]:
    """Read the header of a safetensors file: where its tensors start, and the entry of each."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        entries: dict[str, Any] = json.loads(file.read(length))
        entries.pop("__metadata__", None)
        return 8 + length, entries
