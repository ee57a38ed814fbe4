"""Which endpoint keys a stage's processes get, and the files with each key and the endpoints that its Secret allows; pure."""

from pathlib import PurePosixPath
from typing import Any

from alignment_api.names import ALLOWED_ENDPOINTS_ENTRY
from alignment_api.run_config import EndpointKey
from alignment_api.spec.job import AlignmentJobSpec
from alignment_api.spec.parts import key_secrets
from alignment_api.spec.stages import Stage

ENDPOINT_KEYS_FOLDER = PurePosixPath("/etc/alignment-endpoints")


def mounted_keys(spec: AlignmentJobSpec, stage: Stage, namespace: str) -> list[EndpointKey]:
    """Return the keys of a pod: one folder each, which contains the key only if this stage sends it."""
    own = key_secrets([stage])
    return [
        EndpointKey(
            secret=secret,
            namespace=namespace,
            file=str(ENDPOINT_KEYS_FOLDER / str(index) / "key") if secret in own else None,
            allowed_endpoints=str(ENDPOINT_KEYS_FOLDER / str(index) / ALLOWED_ENDPOINTS_ENTRY),
        )
        for index, secret in enumerate(key_secrets(_stages_to_come(spec, stage)))
    ]


def keys_of_this_machine(spec: AlignmentJobSpec, stage: Stage, secrets: str) -> list[EndpointKey]:
    """Return the same keys on one machine, where a Secret is a folder and each of its entries a file."""
    own = key_secrets([stage])
    return [
        EndpointKey(
            secret=secret,
            file=str(PurePosixPath(secrets) / secret.name / secret.key) if secret in own else None,
            allowed_endpoints=str(PurePosixPath(secrets) / secret.name / ALLOWED_ENDPOINTS_ENTRY),
        )
        for secret in key_secrets(_stages_to_come(spec, stage))
    ]


def key_volume(keys: list[EndpointKey]) -> dict[str, Any]:
    """Return the volume that mounts the Secrets as files of one tree."""
    sources = []
    for key in keys:
        if key.file:
            sources.append(_entry(key, key.secret.key, key.file))
        # Optional: without this entry the stage ends with an error sentence, and no pod waits for its volume.
        sources.append(_entry(key, ALLOWED_ENDPOINTS_ENTRY, key.allowed_endpoints, optional=True))
    return {"projected": {"sources": sources, "defaultMode": 0o440}}


def _stages_to_come(spec: AlignmentJobSpec, stage: Stage) -> list[Stage]:
    """Return this stage and the later ones: what their Secrets allow is checked before the first stage starts."""
    stages = spec.stages or []
    return stages[next(index for index, known in enumerate(stages) if known.name == stage.name) :]


def _entry(key: EndpointKey, entry: str, file: str, **options: bool) -> dict[str, Any]:
    path = str(PurePosixPath(file).relative_to(ENDPOINT_KEYS_FOLDER))
    return {"secret": {"name": key.secret.name, "items": [{"key": entry, "path": path}], **options}}
