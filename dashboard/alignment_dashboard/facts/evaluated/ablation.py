"""How each measured model was made: the stages that it went through, and what differs among their settings."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from alignment_api.resolving.parameters import Value
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.lineage import parent_of
from alignment_api.spec.stage_model import BASE

from alignment_dashboard.facts.configuration import most_telling, parameters

MOST_PARAMETERS = 4


class Made(NamedTuple):
    """How a model was made."""

    chain: str
    """Such as base → sft → dpo; empty if the job has no stage of its name."""
    settings: Mapping[str, Value]
    """What differs among the stages that made the models, by the short names of parameters."""


def made(job: AlignmentJob, models: Sequence[str]) -> list[Made]:
    """Return how each of a job's models was made, in their order."""
    known = [_own(job, name) for name in models]
    names = {name for settings in known for name in settings}
    varying = most_telling([name for name in names if len({s[name] for s in known if name in s}) > 1])[:MOST_PARAMETERS]
    return [
        Made(_chain(job, name), {key: settings[key] for key in varying if key in settings})
        for name, settings in zip(models, known, strict=True)
    ]


def _own(job: AlignmentJob, stage: str) -> dict[str, Value]:
    prefix = f"{stage}."
    return {name.removeprefix(prefix): value for name, value in parameters(job).items() if name.startswith(prefix)}


def _chain(job: AlignmentJob, name: str) -> str:
    stage = next((stage for stage in job.spec.stages or [] if stage.name == name), None)
    if stage is None:
        return BASE if name == BASE else ""
    names = []
    while stage is not None:
        names.append(stage.name)
        stage = parent_of(job.spec, stage)
    return " → ".join([BASE, *reversed(names)])
