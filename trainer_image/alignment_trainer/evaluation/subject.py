"""A model of the job that is loaded to be measured: each process holds the whole of it, and frees it before the next one."""

from typing import Any, NamedTuple

import torch
from alignment_api.run_config import RunConfig

from alignment_trainer.evaluation.candidates import Candidate, chat_template, template_fault
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.model_folder.headers import weight_files
from alignment_trainer.settings.evaluation import EvaluationSettings
from alignment_trainer.synthesis.student import Student, load_student
from alignment_trainer.workspace.activity import reading


class Subject(NamedTuple):
    """A loaded model."""

    candidate: Candidate
    student: Student
    exact: bool
    """Whether its rows are computed one at a time, so that no score depends on batches."""

    @property
    def name(self) -> str:
        """Return how tables call it."""
        return self.candidate.name

    @property
    def model(self) -> Any:
        """Return the model itself, on its device."""
        return self.student.model

    @property
    def tokenizer(self) -> Any:
        """Return its tokenizer, with the chat template that the job names."""
        return self.student.tokenizer

    @property
    def device(self) -> torch.device:
        """Return where its inputs have to be."""
        return self.student.device

    def check_template(self, path: str) -> None:
        """Refuse a model that cannot be asked in dialogues; `path` is the field of the task that does."""
        if fault := template_fault(self.candidate, path):
            raise BadConfiguration(fault)


def load_subject(config: RunConfig, candidate: Candidate, settings: EvaluationSettings) -> Subject:
    """Load a model to measure it."""
    name = f"the model {candidate.name!r}"
    with reading(f"loading {candidate.name}", weight_files(candidate.folder)):
        student = load_student(candidate.folder, chat_template(config), dtype_of(config, settings), name=name)
    return Subject(candidate, student, settings.exact)


def numbers_of(config: RunConfig, settings: EvaluationSettings) -> str:
    """Return how reports call that number format, such as bfloat16."""
    return str(dtype_of(config, settings)).removeprefix("torch.")


def dtype_of(config: RunConfig, settings: EvaluationSettings) -> torch.dtype:
    """Return the number format in which models are measured."""
    return torch.bfloat16 if config.compute.gpus_per_node and not settings.exact else torch.float32
