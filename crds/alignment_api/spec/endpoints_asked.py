"""Which endpoints a stage asks, and which keys they need; pure."""

from alignment_api.spec.endpoints import Endpoint, SecretKey
from alignment_api.spec.parts import parts_of
from alignment_api.spec.stages import Stage


def endpoints_of(stage: Stage) -> list[tuple[str, Endpoint]]:
    """List a stage's endpoints, each with its field, such as feedback.responders[1]."""
    return parts_of(stage, Endpoint)


def key_secrets(stages: list[Stage]) -> list[SecretKey]:
    """List the keys that the stages' endpoints need, each once."""
    found: list[SecretKey] = []
    for stage in stages:
        for _, endpoint in endpoints_of(stage):
            if endpoint.api_key_secret and endpoint.api_key_secret not in found:
                found.append(endpoint.api_key_secret)
    return found
