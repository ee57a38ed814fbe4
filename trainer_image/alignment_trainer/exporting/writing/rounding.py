"""The process that rounds weights with llm-compressor, which would work with all processes of a group, and only one exports."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from alignment_trainer.process.lifeline import LAUNCHER_VARIABLE, die_with

if __name__ == "__main__":
    die_with(int(os.environ[LAUNCHER_VARIABLE]))

from alignment_api.files import write_whole
from pydantic import BaseModel
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from alignment_trainer.exporting.writing.serving_dtype import serving_dtype
from alignment_trainer.model_folder.fitness import CONFIGURATION

_SCHEMES = {"W8A16": "W8A16", "W4A16": "W4A16", "GPTQ": "W4A16", "FP8": "FP8_DYNAMIC"}


class Rounding(BaseModel):
    """Which model is rounded, how, and where it is written."""

    original: Path
    target: Path
    quantization: str
    device: str
    texts: list[list[int]]
    """The tokens of the texts by which GPTQ rounds; empty for all others."""


def round_weights(asked: Rounding) -> None:
    """Write a model as compressed tensors."""
    from llmcompressor.entrypoints.oneshot import oneshot

    model: Any = AutoModelForCausalLM.from_pretrained(
        asked.original,
        dtype=serving_dtype(asked.original),
        device_map={"": asked.device},
        trust_remote_code=False,
        use_safetensors=True,
    )
    head = model.get_output_embeddings()
    heads = [name for name, layer in model.named_modules() if layer is head]
    oneshot(model=model, recipe=_recipe(asked.quantization, heads), **_data(asked.texts))
    model.save_pretrained(asked.target, save_compressed=True)
    _name_heads(asked.target / CONFIGURATION, heads)


def _recipe(quantization: str, heads: list[str]) -> Any:
    from llmcompressor.modifiers.gptq import GPTQModifier
    from llmcompressor.modifiers.quantization import QuantizationModifier

    kind = GPTQModifier if quantization == "GPTQ" else QuantizationModifier
    return kind(targets="Linear", scheme=_SCHEMES[quantization], ignore=heads)


def _name_heads(description: Path, heads: list[str]) -> None:
    """Name what is not rounded also as transformers does: some families have another name for it in their files."""
    config = json.loads(description.read_text(encoding="utf-8"))
    how = config["quantization_config"]
    how["ignore"] = sorted({*how["ignore"], *heads})
    write_whole(description, json.dumps(config, indent=2, sort_keys=True) + "\n")


def _data(texts: list[list[int]]) -> dict[str, Any]:
    from datasets import Dataset

    if not texts:
        return {"pipeline": "datafree"}
    rows = Dataset.from_dict({"input_ids": texts, "attention_mask": [[1] * len(ids) for ids in texts]})
    return {
        "dataset": rows,
        "num_calibration_samples": len(texts),
        "max_seq_length": max(map(len, texts)),
        "shuffle_calibration_samples": False,
    }


def main() -> None:
    """Round what the request on stdin names."""
    logging.disable_progress_bar()
    # It otherwise names each layer.
    os.environ.setdefault("LLM_COMPRESSOR_LOG_LEVEL", "WARNING")
    round_weights(Rounding.model_validate_json(sys.stdin.read()))


if __name__ == "__main__":
    main()
