"""Reads the settings of a stage that measures models: which models, which tasks, and who judges."""

from dataclasses import dataclass
from typing import NamedTuple

from alignment_api.run_config import RunConfig
from alignment_api.spec.lineage import measured_models
from alignment_api.spec.settings.evaluation import Evaluate, Task
from alignment_api.spec.stage_model import BASE, StageModel

from alignment_trainer.settings.given import given, stage_path
from alignment_trainer.settings.servers import SamplingSettings, Server, sampling_settings


class TaskSettings(NamedTuple):
    """One measurement, with its field in the job, such as spec.stages[2].evaluate.tasks[0]."""

    path: str
    task: Task


@dataclass(frozen=True)
class EvaluationSettings:
    """The settings of a stage that measures models."""

    path: str
    """The field of these settings in the job, for messages."""
    models: tuple[StageModel, ...]
    """What is measured; each is compared with those before it."""
    tasks: tuple[TaskSettings, ...]
    judges: tuple[Server, ...]
    sampling: SamplingSettings
    judge_sampling: SamplingSettings
    exact: bool
    maximum_failed_share: float
    seed: int


def evaluation_settings(config: RunConfig) -> EvaluationSettings:
    """Return the settings of a stage that measures models."""
    path, settings = stage_path(config), config.stage.settings
    assert isinstance(settings, Evaluate)
    tasks = given(settings.tasks, f"{path}.tasks")
    return EvaluationSettings(
        path=path,
        models=tuple(measured_models(config.spec, config.stage)),
        tasks=tuple(TaskSettings(f"{path}.tasks[{index}]", task) for index, task in enumerate(tasks)),
        judges=tuple(Server(f"{path}.judges[{index}]", judge) for index, judge in enumerate(settings.judges or [])),
        sampling=sampling_settings(settings.sampling, f"{path}.sampling"),
        judge_sampling=sampling_settings(settings.judge_sampling, f"{path}.judgeSampling"),
        exact=given(settings.exact, f"{path}.exact"),
        maximum_failed_share=given(settings.maximum_failed_share, f"{path}.maximumFailedShare"),
        seed=given(settings.seed, f"{path}.seed"),
    )


def model_name(model: StageModel) -> str:
    """Return how tables call one of the job's models."""
    return model.stage or BASE
