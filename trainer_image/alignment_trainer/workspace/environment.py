"""The hardware, image, library versions and row counts of a stage, written once for MLflow."""

import json
import os
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from alignment_api.files import write_whole

LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "deepspeed", "bitsandbytes", "datasets")
_FILE = "environment.json"
_IMAGE = {"image.revision": "ALIGNMENT_REVISION", "image.version": "ALIGNMENT_VERSION"}
"""Set in the Dockerfile; empty outside of an image."""


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that a result depends on."""
    return {library: version(library) for library in LIBRARIES}


def describe(devices: Sequence[str], rows: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    """Return the parameters to log, by name."""
    return {
        "hardware.devices": ", ".join(f"{count} × {name}" for name, count in sorted(Counter(devices).items())),
        "versions.python": platform.python_version(),
        **{f"versions.{library}": number for library, number in library_versions().items()},
        **{name: os.environ[variable] for name, variable in _IMAGE.items() if os.environ.get(variable)},
        **{f"rows.{source}.{name}": str(count) for source, counts in rows.items() for name, count in counts.items()},
    }


def write_environment(stage: Path, described: Mapping[str, str]) -> None:
    """Write the parameters into the stage's folder."""
    write_whole(stage / _FILE, json.dumps(described, indent=1))


def read_environment(stage: Path) -> dict[str, str]:
    """Read the parameters; empty until the stage has written them."""
    path = stage / _FILE
    found: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return found
