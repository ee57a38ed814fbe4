"""Reads what DPO-KD adds to preference optimization; refuses missing values with a sentence."""

from dataclasses import dataclass

from alignment_api.run_config import RunConfig
from alignment_api.spec.data import Dataset
from alignment_api.spec.settings.synthesis import RoundJudge
from alignment_api.spec.stages import DpoDistillation

from alignment_trainer.failures import BadConfiguration
from alignment_trainer.settings.given import given, stage_path
from alignment_trainer.settings.servers import SamplingSettings, Server, sampling_settings
from alignment_trainer.settings.training import dpo_settings, training_settings


@dataclass(frozen=True)
class RoundJudgeSettings:
    """Who compares the student after each round with the student at the start of the stage, and on which questions."""

    path: str
    server: Server
    questions: list[Dataset]
    maximum_questions: int
    sampling: SamplingSettings


@dataclass(frozen=True)
class DpoDistillationSettings:
    """The settings that DPO-KD adds."""

    path: str
    """The field of these settings in the job, for messages."""
    teacher: Server
    student: Server | None
    """The server of the student's weights; None where the stage samples them itself."""
    prompts: list[Dataset]
    template: str | None
    rounds: int
    refers_to_stage_start: bool
    keeps_earlier_pairs: bool
    judge: RoundJudgeSettings | None
    stops_without_gain: bool
    teacher_sampling: SamplingSettings
    student_sampling: SamplingSettings
    keeps_cut: bool
    maximum_failed_share: float
    seed: int


def dpo_distillation_settings(config: RunConfig) -> DpoDistillationSettings:
    """Return the settings that DPO-KD adds."""
    path, settings = stage_path(config), config.stage.settings
    assert isinstance(settings, DpoDistillation)
    dpo_settings(config)
    student = sampling_settings(settings.student_sampling, f"{path}.studentSampling")
    _check_room(student, given(settings.max_length, f"{path}.maxLength"), path)
    is_online = given(settings.mode, f"{path}.mode") == "Online"
    return DpoDistillationSettings(
        path=path,
        teacher=Server(f"{path}.teacher", given(settings.teacher, f"{path}.teacher")),
        student=Server(f"{path}.student", settings.student) if settings.student else None,
        prompts=given(settings.prompts, f"{path}.prompts"),
        template=settings.template,
        rounds=given(settings.rounds, f"{path}.rounds") if is_online else 1,
        refers_to_stage_start=given(settings.reference, f"{path}.reference") == "StageStart",
        keeps_earlier_pairs=given(settings.keep_earlier_pairs, f"{path}.keepEarlierPairs"),
        judge=_judge(settings.round_judge, f"{path}.roundJudge") if settings.round_judge else None,
        stops_without_gain=given(settings.stop_without_gain, f"{path}.stopWithoutGain"),
        teacher_sampling=sampling_settings(settings.teacher_sampling, f"{path}.teacherSampling"),
        student_sampling=student,
        keeps_cut=given(settings.cut_answers, f"{path}.cutAnswers") == "Keep",
        maximum_failed_share=given(settings.maximum_failed_share, f"{path}.maximumFailedShare"),
        # The stage has one seed: that of its training.
        seed=training_settings(config).seed,
    )


def _judge(judge: RoundJudge, path: str) -> RoundJudgeSettings:
    return RoundJudgeSettings(
        path=path,
        server=Server(f"{path}.endpoint", judge.endpoint),
        questions=judge.questions,
        maximum_questions=given(judge.maximum_questions, f"{path}.maximumQuestions"),
        sampling=sampling_settings(judge.sampling, f"{path}.sampling"),
    )


def _check_room(sampling: SamplingSettings, max_length: int, path: str) -> None:
    if sampling.maximum_tokens >= max_length:
        raise BadConfiguration(
            f"{path}.studentSampling.maximumTokens: an answer of {sampling.maximum_tokens} tokens leaves no room for its prompt "
            f"within maxLength {max_length}; lower it, or raise maxLength"
        )
