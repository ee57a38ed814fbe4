"""What a PyTorchJob and its pods say, as situations a person meets."""

import json
from typing import Any

import pytest
from alignment_operator.children import Children
from alignment_operator.pods import child_of

LABELS = {
    "alignment-operator.dev/stage": "sft",
    "alignment-operator.dev/attempt": "2",
    "alignment-operator.dev/job-uid": "u1",
    "alignment-operator.dev/job": "job",
}


def training_job(*conditions: str, deleting: bool = False, suspended: bool = False, version: int = 1) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "name": "job-sft-2",
        "uid": "p1",
        "labels": LABELS,
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
        "metadata": {"name": f"job-sft-2-{role}-0", "labels": LABELS, "resourceVersion": str(version)},
        "status": {"phase": phase, **status},
    }


def ended(exit_code: int, said: dict[str, Any] | str = "", time: str = "12:00:05", reason: str = "Error") -> dict[str, Any]:
    message = json.dumps(said) if isinstance(said, dict) else said
    terminated = {"exitCode": exit_code, "reason": reason, "message": message, "finishedAt": f"2026-01-01T{time}Z"}
    return {"containerStatuses": [{"name": "pytorch", "state": {"terminated": terminated}}]}


def waiting(reason: str, message: str, which: str = "containerStatuses") -> dict[str, Any]:
    return {which: [{"name": "pytorch", "image": "trainer:1", "state": {"waiting": {"reason": reason, "message": message}}}]}


def unscheduled(message: str) -> dict[str, Any]:
    return {"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]}


SAID = {"exitCode": 65, "reason": "BadData", "message": "rows.jsonl:3: is not JSON", "lastCheckpoint": 40}
DISRUPTED = {
    "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "preempted"}]
}

SITUATIONS: list[tuple[str, dict[str, Any], list[dict[str, Any]], str, str, str]] = [
    ("no pods yet", training_job("Created"), [], "Pending", "Starting", ""),
    ("none runs yet", training_job("Created"), [pod(phase="Pending")], "Pending", "Starting", "0 of 2 pods run"),
    ("one runs", training_job("Running"), [pod(), pod("worker", "Pending")], "Pending", "Starting", "1 of 2 pods run"),
    ("both run", training_job("Running"), [pod(), pod("worker")], "Running", "", ""),
    ("queued by Kueue", training_job("Created", suspended=True), [], "Queued", "Queued", "waiting for its queue to admit it"),
    (
        "no node fits",
        training_job("Created"),
        [pod(phase="Pending", **unscheduled("0/2 nodes are available: 2 Insufficient nvidia.com/gpu."))],
        "Pending",
        "Unschedulable",
        "job-sft-2-master-0: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu.",
    ),
    (
        "no claim",
        training_job("Created"),
        [pod(phase="Pending", **unscheduled('persistentvolumeclaim "workspace" not found'))],
        "Pending",
        "ClaimNotReady",
        'job-sft-2-master-0: persistentvolumeclaim "workspace" not found',
    ),
    (
        "a wrong image",
        training_job("Created"),
        [pod(phase="Pending", **waiting("ImagePullBackOff", "not found"))],
        "Pending",
        "ImagePullBackOff",
        "job-sft-2-master-0 cannot pull trainer:1: not found; check the image and its pull secret",
    ),
    (
        "a wrong image of the init container",
        training_job("Created"),
        [pod(), pod("worker", "Pending", **waiting("ErrImagePull", "", "initContainerStatuses"))],
        "Pending",
        "ImagePullBackOff",
        "job-sft-2-worker-0 cannot pull trainer:1: ErrImagePull; check the image and its pull secret",
    ),
    (
        "a missing secret",
        training_job("Created"),
        [pod(phase="Pending", **waiting("CreateContainerConfigError", 'secret "hub" not found'))],
        "Pending",
        "CreateContainerConfigError",
        'job-sft-2-master-0 cannot start: secret "hub" not found',
    ),
    (
        "the trainer says why",
        training_job("Failed"),
        [pod(phase="Failed", **ended(65, SAID))],
        "Failed",
        "BadData",
        "job-sft-2-master-0: rows.jsonl:3: is not JSON",
    ),
    (
        "failed before the training-operator noticed",
        training_job("Running"),
        [pod(phase="Failed", **ended(1)), pod("worker")],
        "Failed",
        "Error",
        "job-sft-2-master-0: ended with exit code 1",
    ),
    (
        "the end of the log tells where nothing else does",
        training_job("Failed"),
        [pod(phase="Failed", **ended(1, "starting\nImportError: no such module\n"))],
        "Failed",
        "Error",
        "job-sft-2-master-0: ended with exit code 1: ImportError: no such module",
    ),
    (
        "the first to fail tells",
        training_job("Failed"),
        [pod(phase="Failed", **ended(1, time="12:00:09")), pod("worker", "Failed", **ended(65, SAID, time="12:00:05"))],
        "Failed",
        "BadData",
        "job-sft-2-worker-0: rows.jsonl:3: is not JSON",
    ),
    (
        "a peer that was only asked to stop does not tell",
        training_job("Failed"),
        [
            pod(phase="Failed", **ended(75, {"exitCode": 75, "reason": "Stopped", "message": "s"}, time="12:00:01")),
            pod("worker", "Failed", **ended(137, time="12:00:05")),
        ],
        "Failed",
        "Killed",
        "job-sft-2-worker-0: killed by signal 9",
    ),
    (
        "out of memory",
        training_job("Failed"),
        [pod(phase="Failed", **ended(137, reason="OOMKilled"))],
        "Failed",
        "OOMKilled",
        "job-sft-2-master-0 used more than its memory limit; raise compute.memory, or lower microBatchSize or maxLength",
    ),
    (
        "evicted",
        training_job("Failed"),
        [pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory.")],
        "Failed",
        "Evicted",
        "job-sft-2-master-0 was taken away: The node was low on resource: memory.",
    ),
    (
        "preempted",
        training_job("Failed"),
        [pod(phase="Failed", **DISRUPTED)],
        "Failed",
        "PreemptionByScheduler",
        "job-sft-2-master-0 was taken away: preempted",
    ),
    (
        "failed while the pod that is taken away still saves",
        training_job("Failed"),
        [pod(), pod("worker")],
        "Stopping",
        "Stopping",
        "waiting for 2 pods to save and end",
    ),
    (
        "and after it has saved",
        training_job("Failed"),
        [pod(), pod("worker", "Failed", **ended(75, {"exitCode": 75, "reason": "Stopped", "message": "saved"}))],
        "Failed",
        "Stopped",
        "job-sft-2-worker-0: saved",
    ),
    ("all pods gone", training_job("Failed"), [], "Failed", "PodsGone", "Failed it is"),
    ("done", training_job("Running", "Succeeded"), [pod(phase="Succeeded")], "Succeeded", "", ""),
    (
        "deleted on a node without power",
        training_job("Failed", deleting=True),
        [pod(conditions=[{"type": "Ready", "status": "False"}]), pod("worker", conditions=[{"type": "Ready", "status": "True"}])],
        "Stopping",
        "Stopping",
        "waiting for job-sft-2-master-0 on a node that does not answer; delete the node object if it will not come back",
    ),
    (
        "deleted and no longer ready",
        training_job("Failed", deleting=True),
        [pod(conditions=[{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}])],
        "Stopping",
        "Stopping",
        "waiting for 1 pod to save and end",
    ),
    ("deleted", training_job("Running", deleting=True), [pod()], "Stopping", "Stopping", "waiting for 1 pod to save and end"),
]


@pytest.mark.parametrize(
    ("job", "pods", "state", "reason", "message"), [row[1:] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS]
)
def test_what_is_seen(job: dict[str, Any], pods: list[dict[str, Any]], state: str, reason: str, message: str) -> None:
    child = child_of(job, pods)
    assert (child.state, child.reason, child.message) == (state, reason, message)
    assert (child.name, child.stage, child.attempt, child.input_hash, child.fingerprint) == ("job-sft-2", "sft", 2, "in", "fp")


@pytest.mark.parametrize(
    ("pods", "exit_code", "last_checkpoint"),
    [
        ([pod(phase="Failed", **ended(65, SAID))], 65, 40),
        ([pod(phase="Failed", **ended(137, reason="OOMKilled"))], 137, None),
        ([pod(phase="Failed", reason="Evicted", message="low")], 137, None),
        ([], 137, None),
    ],
)
def test_what_follows_from_the_exit_code(pods: list[dict[str, Any]], exit_code: int, last_checkpoint: int | None) -> None:
    child = child_of(training_job("Failed"), pods)
    assert (child.exit_code, child.last_checkpoint) == (exit_code, last_checkpoint)


def test_an_attempt_counts_as_begun_only_when_a_pod_runs() -> None:
    assert child_of(training_job("Created"), [pod(phase="Pending")]).start_time is None
    assert child_of(training_job("Running"), [pod()]).start_time is not None


def test_children_are_kept_by_job_and_older_news_is_ignored() -> None:
    children = Children()
    children.observe("ADDED", training_job("Running", version=5))
    children.observe("ADDED", pod(version=6))
    children.observe("ADDED", pod("worker", version=7))
    assert [child.state for child in children.of("u1")] == ["Running"]
    children.observe("MODIFIED", pod("worker", "Pending", version=4))
    assert [child.state for child in children.of("u1")] == ["Running"]
    children.observe("MODIFIED", training_job("Running", deleting=True, version=8))
    assert [child.state for child in children.of("u1")] == ["Stopping"]
    assert children.of("another") == []


def test_pods_that_outlive_their_job_still_end() -> None:
    children = Children()
    for found in (training_job("Running", version=1), pod(version=2)):
        children.observe("ADDED", found)
    children.observe("DELETED", training_job(version=3))
    (left,) = children.of("u1")
    assert (left.name, left.stage, left.attempt, left.state) == ("job-sft-2", "sft", 2, "Stopping")
    children.observe("DELETED", pod(version=4))
    assert children.of("u1") == []


def test_the_last_words_of_a_pod_that_is_gone_count_until_its_attempt_is_gone() -> None:
    children = Children()
    last = pod("worker", "Failed", version=4, **ended(75, SAID))
    for found in (training_job("Running", version=1), pod(version=2), pod("worker", version=3)):
        children.observe("ADDED", found)
    children.observe("DELETED", last)
    (child,) = children.of("u1")
    assert (child.state, child.exit_code, child.last_checkpoint) == ("Failed", 75, 40)
    children.replace([training_job("Failed", version=5), pod(version=2)])
    assert [child.last_checkpoint for child in children.of("u1")] == [40]
    children.observe("MODIFIED", training_job("Failed", version=6, deleting=True))
    assert [child.message for child in children.of("u1")] == ["waiting for 1 pod to save and end"]
    children.observe("DELETED", training_job("Failed", version=7))
    children.observe("DELETED", pod(version=8))
    assert children.of("u1") == []


def test_a_new_list_names_the_jobs_whose_children_had_changed_unseen() -> None:
    children = Children()
    children.observe("ADDED", training_job("Running", version=1))
    assert children.replace([training_job("Running", version=1)]) == set()
    assert children.replace([training_job("Failed", version=2)]) == {"u1"}
    assert children.replace([]) == {"u1"}


def test_what_belongs_to_nobody_is_ignored() -> None:
    children = Children()
    children.observe("ADDED", {"kind": "Pod", "metadata": {"name": "other"}})
    assert children.of("") == []


def test_pods_whose_trainer_never_started_have_nothing_to_save() -> None:
    children = Children()
    for found in (training_job("Created"), pod(), pod("worker", "Pending")):
        children.observe("ADDED", found)
    (child,) = children.of("u1")
    assert children.unstarted_pods("u1", child) == ["job-sft-2-worker-0"]
