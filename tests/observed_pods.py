"""PyTorchJobs and pods for tests, as the API server returns them."""

import json
from typing import Any

LABELS = {
    "alignment-operator.dev/stage": "sft",
    "alignment-operator.dev/attempt": "2",
    "alignment-operator.dev/job-uid": "u1",
    "alignment-operator.dev/job": "job",
}


def controlled_by(api_version: str, kind: str, uid: str) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "name": "owner", "uid": uid, "controller": True}


def training_job(*conditions: str, deleting: bool = False, suspended: bool = False, version: int = 1) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": "job-sft-2",
        "namespace": "team",
        "uid": "p1",
        "labels": LABELS,
        "ownerReferences": [controlled_by("alignment-operator.dev/v1alpha1", "AlignmentJob", "u1")],
        "annotations": {"alignment-operator.dev/input-hash": "in", "alignment-operator.dev/fingerprint": "fp"},
        "resourceVersion": str(version),
    }
    if deleting:
        metadata["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    return {
        "kind": "PyTorchJob",
        "metadata": metadata,
        "spec": {
            "runPolicy": {"suspend": suspended},
            "pytorchReplicaSpecs": {"Master": {"replicas": 1}, "Worker": {"replicas": 1}},
        },
        "status": {
            "startTime": "2026-01-01T12:00:00Z",
            "conditions": [{"type": kind, "status": "True", "message": f"{kind} it is"} for kind in conditions],
        },
    }


def pod(role: str = "master", phase: str = "Running", version: int = 1, **status: Any) -> dict[str, Any]:
    return {
        "kind": "Pod",
        "metadata": {
            "name": f"job-sft-2-{role}-0",
            "namespace": "team",
            "labels": LABELS,
            "resourceVersion": str(version),
            "ownerReferences": [controlled_by("kubeflow.org/v1", "PyTorchJob", "p1")],
        },
        "status": {"phase": phase, **status},
    }


def running(since: str = "12:00:00") -> dict[str, Any]:
    return {"containerStatuses": [{"name": "pytorch", "state": {"running": {"startedAt": f"2026-01-01T{since}Z"}}}]}


def ended(exit_code: int, said: dict[str, Any] | str = "", time: str = "12:00:05", reason: str = "Error") -> dict[str, Any]:
    message = json.dumps(said) if isinstance(said, dict) else said
    terminated = {
        "exitCode": exit_code,
        "reason": reason,
        "message": message,
        "startedAt": "2026-01-01T12:00:00Z",
        "finishedAt": f"2026-01-01T{time}Z",
    }
    return {"containerStatuses": [{"name": "pytorch", "state": {"terminated": terminated}}]}


def waiting(reason: str, message: str, which: str = "containerStatuses") -> dict[str, Any]:
    return {which: [{"name": "pytorch", "image": "trainer:1", "state": {"waiting": {"reason": reason, "message": message}}}]}


def unscheduled(message: str) -> dict[str, Any]:
    return {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}


SAID = {"exitCode": 65, "reason": "BadData", "message": "rows.jsonl:3: is not JSON", "lastCheckpoint": 40}
