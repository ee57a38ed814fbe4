"""Rounds weights to compressed-tensors with llm-compressor, an optional package of the image."""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from alignment_api.spec.settings.export import CALIBRATED
from transformers import AutoModelForCausalLM

from alignment_trainer.exporting.texts import Text
from alignment_trainer.exporting.writing.serving_dtype import serving_dtype
from alignment_trainer.model_folder.headers import weight_files
from alignment_trainer.workspace.activity import advancing, reading

_SCHEMES = {"W8A16": "W8A16", "W4A16": "W4A16", "GPTQ": "W4A16", "FP8": "FP8_DYNAMIC"}
_ROWS = 512
"""Most rows of calibration; more of them hardly change how weights are rounded."""


def write(
    original: Path, target: Path, quantization: str, device: torch.device, calibration: Callable[[], Iterator[Text]]
) -> None:
    """Write a model as compressed tensors; only GPTQ reads texts."""
    from llmcompressor.core import reset_session
    from llmcompressor.entrypoints.oneshot import oneshot

    with reading("loading the weights", weight_files(original)):
        model: Any = AutoModelForCausalLM.from_pretrained(
            original, dtype=serving_dtype(original), device_map={"": device}, trust_remote_code=False, use_safetensors=True
        )
    texts = list(islice(calibration(), _ROWS)) if quantization in CALIBRATED else []
    with advancing("rounding the weights", None, "layers"):
        oneshot(model=model, recipe=_recipe(quantization), **(_batches(texts) if texts else {"pipeline": "datafree"}))
        model.save_pretrained(target, save_compressed=True)
    # It keeps the model, and the proof needs the memory.
    reset_session()  # type: ignore[no-untyped-call]


def _recipe(quantization: str) -> Any:
    from llmcompressor.modifiers.gptq import GPTQModifier
    from llmcompressor.modifiers.quantization import QuantizationModifier

    kind = GPTQModifier if quantization == "GPTQ" else QuantizationModifier
    return kind(targets="Linear", scheme=_SCHEMES[quantization], ignore=["lm_head"])


def _batches(texts: list[Text]) -> dict[str, Any]:
    from datasets import Dataset

    rows = Dataset.from_dict(
        {"input_ids": [text.ids for text in texts], "attention_mask": [[1] * len(text.ids) for text in texts]}
    )
    longest = max(len(text.ids) for text in texts)
    return {
        "dataset": rows,
        "num_calibration_samples": len(texts),
        "max_seq_length": longest,
        "shuffle_calibration_samples": False,
    }
