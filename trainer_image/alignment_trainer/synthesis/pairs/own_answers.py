"""Lets the job's own models give their answers to all prompts, on all processes of the stage, before any server is asked."""

from pathlib import Path

import torch
from accelerate import PartialState
from alignment_api.run_config import RunConfig
from alignment_api.spec.stage_model import StageModel

from alignment_trainer.endpoints.question import Answer, Unanswered
from alignment_trainer.model_folder.start import start_name
from alignment_trainer.models.start import start_folder
from alignment_trainer.settings.feedback import EnsembleSettings
from alignment_trainer.settings.given import given
from alignment_trainer.synthesis.pairs.ensemble import Ensemble
from alignment_trainer.synthesis.pairs.ensemble_pairs import own_key
from alignment_trainer.synthesis.prompts import Prompt, with_system
from alignment_trainer.synthesis.student import Asked, free, load_student, read_said, sample

_FOLDER = "own-answers"


def own_answers(
    config: RunConfig, settings: EnsembleSettings, ensemble: Ensemble, prompts: list[Prompt]
) -> dict[str, Answer | Unanswered] | None:
    """Return the answers by `own_key`, each drawn once in all attempts; None on all processes but the first, which can end."""
    asked = {index: _asked(index, ensemble, prompts) for index, member in enumerate(settings.members) if member.model}
    for index, questions in asked.items():
        model = settings.members[index].model
        assert model is not None
        if questions:
            _sample(config, settings, model, questions, _folder(config, index))
    is_first = PartialState().is_main_process
    # From here on the first process works alone, for hours perhaps: the others must not wait for it in a collective.
    PartialState().destroy_process_group()
    if not is_first:
        return None
    return {
        one.key: answer
        for index, questions in asked.items()
        for one, answer in zip(questions, read_said(_folder(config, index), questions), strict=True)
    }


def _asked(index: int, ensemble: Ensemble, prompts: list[Prompt]) -> list[Asked]:
    return [
        Asked(own_key(prompt, turn), with_system(prompt.messages, turn.principle and turn.principle.text), turn.seed)
        for prompt in prompts
        for turn in ensemble.turns(prompt.key)
        if turn.responder == index
    ]


def _sample(config: RunConfig, settings: EnsembleSettings, model: StageModel, asked: list[Asked], folder: Path) -> None:
    assert config.spec.model is not None
    template = given(config.spec.model.chat_template, "spec.model.chatTemplate")
    start, name = _weights(config, model)
    student = load_student(start, template, torch.bfloat16 if config.compute.gpus_per_node else torch.float32, name=name)
    sample(student, asked, settings.sampling, folder)
    del student
    free()


def _weights(config: RunConfig, model: StageModel) -> tuple[Path, str]:
    """Return the folder of a model's weights, and how a sentence names it."""
    if model.stage:
        return Path((config.paths.stage_models or {})[model.stage]), f"the model of stage {model.stage!r}"
    return start_folder(config), start_name(config)


def _folder(config: RunConfig, index: int) -> Path:
    return Path(config.paths.stage) / _FOLDER / str(index)
