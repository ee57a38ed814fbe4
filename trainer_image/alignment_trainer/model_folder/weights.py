"""Hashes and counts the weights of a model."""

import math
from pathlib import Path

from alignment_trainer.model_folder.headers import read_header, weight_files
from alignment_trainer.workspace.hashes import hash_files


def weights_digest(folder: Path) -> str:
    """Hash the names and contents of a model's weight files; other files in the folder do not count."""
    return hash_files(weight_files(folder))


def configuration_digest(folder: Path) -> str:
    """Hash the configuration files, which decide how a model computes with its weights, such as an adapter's scale."""
    return hash_files(path for path in (folder / "config.json", folder / "adapter_config.json") if path.exists())


def empty_tensors(folder: Path) -> list[str]:
    """Return the names of empty tensors, which sharded weights leave if they were not gathered before saving."""
    headers = (header for path in sorted(folder.glob("*.safetensors")) for header in read_header(path))
    return [header.name for header in headers if math.prod(header.shape) == 0]


def parameter_count(folder: Path) -> int:
    """Return the number of parameters of a model."""
    return sum(math.prod(header.shape) for path in weight_files(folder) for header in read_header(path))
