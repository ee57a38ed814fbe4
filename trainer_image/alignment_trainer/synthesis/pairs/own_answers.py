"""Lets the job's own models give their answers to all prompts, on all processes of the stage, before any server is asked."""

from collections.abc import Iterator
from pathlib import Path

import torch
from alignment_api.files import write_whole
from alignment_api.run_config import RunConfig
from alignment_api.spec.stage_model import StageModel

from alignment_trainer.endpoints.question import Answer, Unanswered
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.model_folder.start import start_name
from alignment_trainer.models.start import check_model, start_folder
from alignment_trainer.settings.feedback import EnsembleSettings
from alignment_trainer.settings.given import given
from alignment_trainer.synthesis.first_process import shared
from alignment_trainer.synthesis.pairs.ensemble import Ensemble
from alignment_trainer.synthesis.pairs.ensemble_pairs import own_key
from alignment_trainer.synthesis.prompts import Prompt, with_system
from alignment_trainer.synthesis.student import Asked, Student, free, load_student, read_said, readable, sample

_FOLDER = "own-answers"
_ALL_FILE = "all"
"""Marks a folder that holds all answers of a model, so that the model need not be loaded to find that out."""


class OwnModels:
    """The job's own models among an ensemble, and what each of them is asked."""

    def __init__(self, config: RunConfig, settings: EnsembleSettings, ensemble: Ensemble, prompts: list[Prompt]) -> None:
        self._config, self._settings = config, settings
        self._asked = {
            index: _asked(index, ensemble, prompts) for index, member in enumerate(settings.members) if member.model is not None
        }

    def answer(self) -> None:
        """Have all of them answer, each question once in all attempts; all processes call this alike."""
        for index, asked in self._asked.items():
            if asked:
                self._answer(index, asked)

    def _answer(self, index: int, asked: list[Asked]) -> None:
        folder, model = self._folder(index), self._settings.members[index].model
        assert model is not None
        if shared(lambda: (folder / _ALL_FILE).exists()):
            return
        student = self._student(model)
        sample(student, readable(student, asked), self._settings.sampling, folder)
        del student
        free()
        shared(lambda: write_whole(folder / _ALL_FILE, ""))

    def said(self) -> dict[str, Answer | Unanswered]:
        """Return their answers by `own_key`."""
        return dict(self._said())

    def _said(self) -> Iterator[tuple[str, Answer | Unanswered]]:
        for index, asked in self._asked.items():
            for one, answer in zip(asked, read_said(self._folder(index), asked), strict=True):
                yield one.key, answer

    def _student(self, model: StageModel) -> Student:
        config = self._config
        assert config.spec.model is not None
        template = given(config.spec.model.chat_template, "spec.model.chatTemplate")
        folder, name = self._weights(model)
        student = load_student(folder, template, torch.bfloat16 if config.compute.gpus_per_node else torch.float32, name=name)
        if not student.tokenizer.chat_template:
            raise BadConfiguration(
                f"spec.model.chatTemplate: {name} has no chat template, and answers questions as dialogues; "
                "set it to Zephyr or ChatML"
            )
        return student

    def _weights(self, model: StageModel) -> tuple[Path, str]:
        """Return the folder of a model's weights, and how a sentence names it."""
        if model.stage:
            return Path((self._config.paths.stage_models or {})[model.stage]), f"the model of stage {model.stage!r}"
        folder = start_folder(self._config)
        check_model(self._config, folder, None)
        return folder, start_name(self._config)

    def _folder(self, index: int) -> Path:
        return Path(self._config.paths.stage) / _FOLDER / str(index)


def _asked(index: int, ensemble: Ensemble, prompts: list[Prompt]) -> list[Asked]:
    return [
        Asked(own_key(prompt, turn), with_system(prompt.messages, turn.principle and turn.principle.text), turn.seed)
        for prompt in prompts
        for turn in ensemble.turns(prompt.key)
        if turn.responder == index
    ]
