"""Which server answers, and how it samples, with every value set."""

from dataclasses import dataclass
from typing import NamedTuple

from alignment_api.spec.endpoints import Endpoint, Sampling

from alignment_trainer.settings.given import given


class Server(NamedTuple):
    """An endpoint with its field in the job, such as spec.stages[0].distill.teachers[1]."""

    field: str
    endpoint: Endpoint


@dataclass(frozen=True)
class SamplingSettings:
    """How an answer is sampled, with every value set."""

    temperature: float
    top_p: float
    maximum_tokens: int


def sampling_settings(sampling: Sampling | None, field: str) -> SamplingSettings:
    """Return how a model samples its answers."""
    sampling = given(sampling, field)
    return SamplingSettings(
        temperature=given(sampling.temperature, f"{field}.temperature"),
        top_p=given(sampling.top_p, f"{field}.topP"),
        maximum_tokens=given(sampling.maximum_tokens, f"{field}.maximumTokens"),
    )
