"""Reads the settings of a feedback stage: who answers and who judges, and how scored answers become a pair."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal, NamedTuple

from alignment_api.run_config import RunConfig
from alignment_api.spec.data import Dataset
from alignment_api.spec.settings.synthesis import Aspect, Feedback, Principles, Responder
from alignment_api.spec.stage_model import BASE, StageModel

from alignment_trainer.settings.given import given, stage_path
from alignment_trainer.settings.servers import SamplingSettings, Server, sampling_settings


@dataclass(frozen=True)
class PairSettings:
    """What orders the answers to a prompt, and which two of them become a pair."""

    score: Literal["MeanOfAspects", "Overall"]
    aspects: tuple[Aspect, ...]
    rejected: Literal["Random", "Worst", "Second"]
    minimum_margin: float
    ties: Literal["Drop", "Keep"]
    missing_aspects: Literal["DropAnswer", "MeanOfRest"]
    seed: int


class Member(NamedTuple):
    """A model of the ensemble: one of the job, or on a server."""

    name: str
    """As rows and reports show it; no other of the ensemble has it."""
    server: Server | None
    model: StageModel | None


@dataclass(frozen=True)
class EnsembleSettings:
    """The settings of a stage that has prompts answered and judged."""

    path: str
    """The field of these settings in the job, for messages."""
    members: tuple[Member, ...]
    judge: Server
    prompts: list[Dataset]
    answers_per_prompt: int
    principles: Principles | None
    sampling: SamplingSettings
    judge_sampling: SamplingSettings
    keeps_cut: bool


def pair_settings(config: RunConfig) -> PairSettings:
    """Return how a feedback stage makes its pairs."""
    settings, path = _feedback(config), stage_path(config)
    return PairSettings(
        score=given(settings.score, f"{path}.score"),
        aspects=tuple(given(settings.aspects, f"{path}.aspects")),
        rejected=given(settings.rejected, f"{path}.rejected"),
        minimum_margin=given(settings.minimum_margin, f"{path}.minimumMargin"),
        ties=given(settings.ties, f"{path}.ties"),
        missing_aspects=given(settings.missing_aspects, f"{path}.missingAspects"),
        seed=given(settings.seed, f"{path}.seed"),
    )


def judged_datasets(config: RunConfig) -> list[Dataset] | None:
    """Return the rows that are judged already; None if the stage has its own answers judged."""
    return _feedback(config).judged


def ensemble_settings(config: RunConfig) -> EnsembleSettings:
    """Return who answers and who judges."""
    settings, path = _feedback(config), stage_path(config)
    return EnsembleSettings(
        path=path,
        members=_members(given(settings.responders, f"{path}.responders"), f"{path}.responders"),
        judge=Server(f"{path}.judge", given(settings.judge, f"{path}.judge")),
        prompts=given(settings.prompts, f"{path}.prompts"),
        answers_per_prompt=given(settings.answers_per_prompt, f"{path}.answersPerPrompt"),
        principles=settings.principles,
        sampling=sampling_settings(settings.sampling, f"{path}.sampling"),
        judge_sampling=sampling_settings(settings.judge_sampling, f"{path}.judgeSampling"),
        keeps_cut=given(settings.cut_answers, f"{path}.cutAnswers") == "Keep",
    )


def check_feedback(config: RunConfig) -> None:
    """Refuse a feedback stage that lacks a setting."""
    pair_settings(config)
    maximum_failed_share(config)
    if judged_datasets(config) is None:
        ensemble_settings(config)


def maximum_failed_share(config: RunConfig) -> float:
    """Return how many prompts may stay without usable answers."""
    return given(_feedback(config).maximum_failed_share, f"{stage_path(config)}.maximumFailedShare")


def _feedback(config: RunConfig) -> Feedback:
    settings = config.stage.settings
    assert isinstance(settings, Feedback)
    return settings


def _members(responders: list[Responder], field: str) -> tuple[Member, ...]:
    names = [_name(responder) for responder in responders]
    count = Counter(names)
    return tuple(
        Member(
            name if count[name] == 1 else f"{name} (responders[{index}])",
            Server(f"{field}[{index}].endpoint", responder.endpoint) if responder.endpoint else None,
            responder.model,
        )
        for index, (name, responder) in enumerate(zip(names, responders, strict=True))
    )


def _name(responder: Responder) -> str:
    if responder.endpoint:
        return responder.endpoint.model
    assert responder.model is not None
    return responder.model.stage or BASE
