"""Has weights rounded to compressed-tensors by llm-compressor, an optional package of the image."""

from collections.abc import Callable
from pathlib import Path

import torch
from alignment_api.spec.settings.export import CALIBRATED

from alignment_trainer.exporting.fresh_process import Ended, run_alone
from alignment_trainer.exporting.texts import Text
from alignment_trainer.exporting.writing import rounding
from alignment_trainer.workspace.activity import working


def write(original: Path, target: Path, quantization: str, device: torch.device, calibration: Callable[[], list[Text]]) -> None:
    """Write a model as compressed tensors; only GPTQ reads texts."""
    texts = calibration() if quantization in CALIBRATED else []
    asked = rounding.Rounding(
        original=original,
        target=target,
        quantization=quantization,
        device=str(device),
        texts=[text.ids for text in texts],
    )
    with working("rounding the weights"):
        ended = run_alone(rounding.__name__, given=asked.model_dump_json())
    if ended.code:
        raise failure(original, ended)


def failure(original: Path, ended: Ended) -> Exception:
    """Return why nothing was rounded; the words of other errors also say whether a volume is full."""
    lack = ended.lack_of_memory(f"rounds {original}", f"to round {original}")
    return lack or RuntimeError(f"llm-compressor cannot round {original}: {ended.last_line}")
