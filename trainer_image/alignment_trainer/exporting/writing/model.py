"""Writes the exported model: its weights in the wanted number format, and all that a server needs beside them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from alignment_api.files import write_whole
from alignment_api.names import MODEL_FOLDER
from alignment_api.spec.settings.export import COMPRESSED, UNROUNDED

from alignment_trainer.exporting.original import Original
from alignment_trainer.exporting.texts import Text
from alignment_trainer.exporting.writing import bits, compressed
from alignment_trainer.exporting.writing.end_tokens import write_generation
from alignment_trainer.model_folder.headers import weight_files
from alignment_trainer.model_folder.weights import weights_digest
from alignment_trainer.training.publishing import publish_folder
from alignment_trainer.workspace.activity import advancing

_WRITTEN_FILE = "written.json"
_DESCRIPTIONS = ("config.json", "model.safetensors.index.json")


class Written(NamedTuple):
    """The exported folder, and the hash of its weights as they were written."""

    folder: Path
    weights: str


def write_model(
    stage: Path,
    original: Original,
    quantization: str,
    tokenizer: Any,
    device: torch.device,
    calibration: Callable[[], list[Text]],
) -> Written:
    """Write the model to the stage's folder, under its name only once it is whole; what is written already stays."""
    folder = stage / MODEL_FOLDER
    known = _known(stage, original)
    if known and folder.exists():
        return Written(folder, known)

    def write(staged: Path) -> None:
        _write_weights(original.folder, staged, quantization, device, calibration)
        tokenizer.save_pretrained(staged)
        write_generation(original.folder, staged, tokenizer)
        # Before the folder gets its name: what is named is what was hashed.
        digests = {"original": original.weights, "written": weights_digest(staged)}
        write_whole(stage / _WRITTEN_FILE, json.dumps(digests))

    publish_folder(folder, write)
    return Written(folder, str(_known(stage, original)))


def forget(stage: Path) -> None:
    """Remove a model that is of no use, so that the next attempt writes it again."""
    (stage / _WRITTEN_FILE).unlink(missing_ok=True)


def _known(stage: Path, original: Original) -> str | None:
    file = stage / _WRITTEN_FILE
    digests = json.loads(file.read_text()) if file.exists() else {}
    return digests.get("written") if digests.get("original") == original.weights else None


def _write_weights(
    original: Path, target: Path, quantization: str, device: torch.device, calibration: Callable[[], list[Text]]
) -> None:
    if quantization == UNROUNDED:
        _copy(original, target)
    elif quantization in COMPRESSED:
        compressed.write(original, target, quantization, device, calibration)
    else:
        bits.write(original, target, quantization, device)


def _copy(original: Path, target: Path) -> None:
    """Copy the weights as they were trained."""
    paths = [*weight_files(original), *(path for name in _DESCRIPTIONS if (path := original / name).exists())]
    with advancing("copying the weights", sum(path.stat().st_size for path in paths), "bytes") as advance:
        for path in paths:
            shutil.copyfile(path, target / path.name)
            advance(path.stat().st_size)
