"""Which endpoints a stage asks: found by their type, wherever its settings hold them; pure."""

from collections.abc import Iterator
from typing import Any

from pydantic.alias_generators import to_camel

from alignment_api.schema import Schema
from alignment_api.spec.endpoints import Endpoint, SecretKey
from alignment_api.spec.stages import Stage


def endpoints_of(stage: Stage) -> list[tuple[str, Endpoint]]:
    """List a stage's endpoints, each with its field, such as feedback.responders[1]."""
    return list(_endpoints_in(stage.settings, to_camel(stage.kind)))


def key_secrets(stages: list[Stage]) -> list[SecretKey]:
    """List the keys that the stages' endpoints need, each once."""
    found: list[SecretKey] = []
    for stage in stages:
        for _, endpoint in endpoints_of(stage):
            if endpoint.api_key_secret and endpoint.api_key_secret not in found:
                found.append(endpoint.api_key_secret)
    return found


def _endpoints_in(value: Any, field: str) -> Iterator[tuple[str, Endpoint]]:
    if isinstance(value, Endpoint):
        yield field, value
    elif isinstance(value, Schema):
        for name in type(value).model_fields:
            yield from _endpoints_in(getattr(value, name), f"{field}.{to_camel(name)}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _endpoints_in(item, f"{field}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _endpoints_in(item, f"{field}.{name}")
