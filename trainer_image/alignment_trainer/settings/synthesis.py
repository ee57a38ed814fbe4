"""Reads the settings of the stages whose rows are written by models; refuses missing values with a sentence."""

from dataclasses import dataclass

from alignment_api.run_config import RunConfig
from alignment_api.spec.data import Dataset
from alignment_api.spec.settings.synthesis import Distill

from alignment_trainer.settings.given import given, stage_path
from alignment_trainer.settings.servers import SamplingSettings, Server, sampling_settings


@dataclass(frozen=True)
class DistillSettings:
    """The settings of a stage in which teachers write dialogues."""

    path: str
    """The field of these settings in the job, for messages."""
    teachers: list[Server]
    method: str
    prompts: list[Dataset]
    prompts_are: str
    turns: int
    user: Server | None
    """Who asks in the user's place; the teacher of the row if unset."""
    instructions: int | None
    maximum_similarity: float
    system_prompt: str | None
    sampling: SamplingSettings
    keeps_cut: bool
    maximum_failed_share: float
    seed: int


def distill_settings(config: RunConfig) -> DistillSettings:
    """Return the settings of a stage in which teachers write dialogues."""
    path, settings = stage_path(config), config.stage.settings
    assert isinstance(settings, Distill)
    teachers = given(settings.teachers, f"{path}.teachers")
    method = given(settings.method, f"{path}.method")
    if method == "SelfInstruct":
        given(settings.instructions, f"{path}.instructions")
    return DistillSettings(
        path=path,
        teachers=[Server(f"{path}.teachers[{index}]", teacher) for index, teacher in enumerate(teachers)],
        method=method,
        prompts=given(settings.prompts, f"{path}.prompts"),
        prompts_are=given(settings.prompts_are, f"{path}.promptsAre"),
        turns=given(settings.turns, f"{path}.turns"),
        user=Server(f"{path}.user", settings.user) if settings.user else None,
        instructions=settings.instructions,
        maximum_similarity=given(settings.maximum_similarity, f"{path}.maximumSimilarity"),
        system_prompt=settings.system_prompt,
        sampling=sampling_settings(settings.sampling, f"{path}.sampling"),
        keeps_cut=given(settings.cut_answers, f"{path}.cutAnswers") == "Keep",
        maximum_failed_share=given(settings.maximum_failed_share, f"{path}.maximumFailedShare"),
        seed=given(settings.seed, f"{path}.seed"),
    )
