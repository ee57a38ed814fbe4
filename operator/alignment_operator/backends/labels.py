"""The labels, annotations and owner that every object of an attempt carries."""

import re

from alignment_api.names import (
    API_VERSION,
    ATTEMPT_LABEL,
    FINGERPRINT_ANNOTATION,
    INPUT_HASH_ANNOTATION,
    JOB_LABEL,
    JOB_UID_LABEL,
    KIND,
    RENDERING_ANNOTATION,
    STAGE_LABEL,
)

from alignment_operator.backends import Manifest
from alignment_operator.deciding.stage_run import StageRun
from alignment_operator.settings import Settings

_ATTEMPT = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)


def metadata(run: StageRun, settings: Settings) -> Manifest:
    """Return the metadata of an object that Kubernetes deletes together with the job."""
    return {
        "name": run.name,
        "namespace": run.namespace,
        "labels": labels(run),
        "annotations": annotations(run, settings),
        "ownerReferences": [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": run.job.metadata.name,
                "uid": run.job.metadata.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def labels(run: StageRun) -> dict[str, str]:
    """Return the labels of objects and pods on a cluster."""
    return {
        "app.kubernetes.io/name": "alignment-trainer",
        "app.kubernetes.io/managed-by": "alignment-operator",
        JOB_LABEL: run.job.metadata.name,
        JOB_UID_LABEL: run.job.metadata.uid or "",
        STAGE_LABEL: run.stage.name,
        ATTEMPT_LABEL: str(run.attempt),
    }


def annotations(run: StageRun, settings: Settings) -> dict[str, str]:
    """Return the hashes by which the operator later recognizes what the attempt was made from."""
    return {
        INPUT_HASH_ANNOTATION: run.input_hash,
        FINGERPRINT_ANNOTATION: run.fingerprint,
        RENDERING_ANNOTATION: run.rendering(settings),
    }


def attempt_of(found: Manifest) -> int | None:
    """Read the attempt that an object belongs to; None if the label is not a number that the operator would write."""
    label = str(found["metadata"].get("labels", {}).get(ATTEMPT_LABEL, ""))
    return int(label) if _ATTEMPT.fullmatch(label) else None
