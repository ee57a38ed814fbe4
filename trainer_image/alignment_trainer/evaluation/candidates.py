"""The models that a stage measures, before they are loaded: where their weights are, and of which they are."""

import json
from pathlib import Path
from typing import NamedTuple

from alignment_api.run_config import RunConfig
from alignment_api.spec.stage_model import StageModel

from alignment_trainer.model_folder.weights import weights_digest
from alignment_trainer.models.start import base_folder, check_model
from alignment_trainer.models.tokenizer import load_tokenizer
from alignment_trainer.settings.evaluation import model_name
from alignment_trainer.settings.given import given
from alignment_trainer.synthesis.first_process import shared
from alignment_trainer.templates.source import template_hash

_NO_TEMPLATE = template_hash(None)


class Candidate(NamedTuple):
    """A model of the job."""

    name: str
    folder: Path
    weights: str
    """Their hash."""
    template: str
    """Hash of its chat template."""
    quantization: str | None
    """The method by which its weights are stored in fewer bits, if they are."""


def candidate_of(config: RunConfig, model: StageModel) -> Candidate:
    """Find a model of the job; all processes call this alike."""
    folder = _folder(config, model)
    if model.base:
        check_model(config, folder, None)
    return Candidate(
        name=model_name(model),
        folder=folder,
        weights=shared(lambda: weights_digest(folder)),
        template=shared(lambda: template_hash(load_tokenizer(folder, chat_template(config), needs_answers=False).chat_template)),
        quantization=_quantization(folder),
    )


def template_fault(candidate: Candidate, path: str) -> str | None:
    """Return why a model cannot be asked in dialogues, if it cannot; `path` is the field of the task that does."""
    if candidate.template != _NO_TEMPLATE:
        return None
    asked = "has no chat template, and is asked in dialogues"
    return f"{path}: {candidate.name} {asked}; set spec.model.chatTemplate to Zephyr or ChatML"


def chat_template(config: RunConfig) -> str:
    """Return the name of the chat template that the job gives all its models."""
    assert config.spec.model is not None
    return given(config.spec.model.chat_template, "spec.model.chatTemplate")


def described(model: StageModel) -> str:
    """Return how a sentence calls a model of the job."""
    return f"the model of stage {model.stage!r}" if model.stage else "spec.model.uri"


def _folder(config: RunConfig, model: StageModel) -> Path:
    if model.stage is None:
        return base_folder(config)
    known = (config.paths.stage_models or {}).get(model.stage) or config.paths.parent_model
    assert known is not None, "the operator names the folder of each model that a stage asks"
    return Path(known)


def _quantization(folder: Path) -> str | None:
    stored = json.loads((folder / "config.json").read_text()).get("quantization_config")
    return str(stored.get("format") or stored.get("quant_method")) if stored else None
