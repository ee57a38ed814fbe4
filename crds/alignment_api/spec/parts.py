"""Finds the datasets, endpoints and models that a stage's settings name, wherever the settings hold them; pure."""

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

from pydantic.alias_generators import to_camel

from alignment_api.schema import Schema
from alignment_api.spec.data import Dataset
from alignment_api.spec.endpoints import Endpoint, Sampling, SecretKey
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.settings.evaluation import Evaluate
from alignment_api.spec.stage_model import StageModel
from alignment_api.spec.stages import Stage

Part = TypeVar("Part", bound=Schema)
_JUDGE = "judge"


def parts_of(stage: Stage, wanted: type[Part]) -> list[tuple[str, Part]]:
    """List the parts of one type, each with its field, such as feedback.responders[1]."""
    return list(_parts_in(stage.settings, to_camel(stage.kind), wanted))


class RowsRead(NamedTuple):
    """A stage's field that reads rows of another stage."""

    field: str
    stage: str


def rows_read(stage: Stage) -> list[RowsRead]:
    """List the fields that read rows of other stages, such as sft.datasets[0].stage."""
    datasets = parts_of(stage, Dataset)
    return [RowsRead(f"{field}.stage", dataset.stage) for field, dataset in datasets if dataset.stage is not None]


def endpoints_of(stage: Stage) -> list[tuple[str, Endpoint]]:
    """List a stage's endpoints, each with its field, such as feedback.responders[1]."""
    return parts_of(stage, Endpoint)


def judges_of(stage: Stage) -> list[tuple[str, Endpoint]]:
    """List the endpoints that judge answers, such as feedback.judge; every field of a judge has that word in its name."""
    return [(field, endpoint) for field, endpoint in endpoints_of(stage) if _JUDGE in field.lower()]


def judge_sampling(stage: Stage) -> Sampling | None:
    """Find how the stage's judge answers; None if nothing says so."""
    return next((sampling for field, sampling in parts_of(stage, Sampling) if _JUDGE in field.lower()), None)


def key_secrets(stages: list[Stage]) -> list[SecretKey]:
    """List the keys that the stages' endpoints need, each once."""
    found: list[SecretKey] = []
    for stage in stages:
        for _, endpoint in endpoints_of(stage):
            if endpoint.api_key_secret and endpoint.api_key_secret not in found:
                found.append(endpoint.api_key_secret)
    return found


def models_asked(stage: Stage) -> list[tuple[str, StageModel]]:
    """List the job's models that the stage asks, such as feedback.responders[0].model; it starts from none of them."""
    return parts_of(stage, StageModel)


def starts_from_model(stage: Stage) -> bool:
    """Return whether the stage starts from one model: that of an earlier stage, or the job's."""
    names_models = isinstance(stage.settings, Evaluate) and stage.settings.models is not None
    return KINDS[stage.kind].loads_model and not names_models


def loads_model(stage: Stage) -> bool:
    """Return whether the stage loads weights; the others only ask endpoints, without a GPU."""
    return KINDS[stage.kind].loads_model or bool(models_asked(stage))


def _parts_in(value: Any, field: str, wanted: type[Part]) -> Iterator[tuple[str, Part]]:
    if isinstance(value, wanted):
        yield field, value
    elif isinstance(value, Schema):
        fields = type(value).model_fields
        for name, inner in value.__dict__.items():
            # The operator asks this of each stage at each reconcile: most fields are unset or numbers.
            if isinstance(inner, Schema | list | dict):
                yield from _parts_in(inner, f"{field}.{fields[name].alias}", wanted)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _parts_in(item, f"{field}[{index}]", wanted)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _parts_in(item, f"{field}.{name}", wanted)
