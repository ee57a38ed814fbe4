"""The state of an attempt, read from a PyTorchJob and its pods."""

from typing import Any

import pytest
from alignment_api import metrics
from alignment_operator.backends.pytorchjob import is_replica, observe, trimmed
from observed_pods import SAID, ended, pod, running, training_job, unscheduled, waiting

DISRUPTED = {
    "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler", "message": "preempted"}]
}

FORGED = {"exitCode": 0, "reason": "rm -rf /; \x1b[31m", "message": "a\x1b[31mb\u202e" + "c" * 2990}

SITUATIONS: list[tuple[str, dict[str, Any], list[dict[str, Any]], str, str, str]] = [
    ("no pods yet", training_job("Created"), [], "Pending", "Starting", ""),
    ("none runs yet", training_job("Created"), [pod(phase="Pending")], "Pending", "Starting", "0 of 2 pods are running"),
    ("one runs", training_job("Running"), [pod(), pod("worker", "Pending")], "Pending", "Starting", "1 of 2 pods are running"),
    ("both run", training_job("Running"), [pod(), pod("worker")], "Running", "", ""),
    ("queued by Kueue", training_job("Created", suspended=True), [], "Queued", "Queued", "waiting for its queue to admit it"),
    (
        "no node fits",
        training_job("Created"),
        [pod(phase="Pending", **unscheduled("0/2 nodes are available: 2 Insufficient nvidia.com/gpu."))],
        "Pending",
        "Unschedulable",
        "waiting for 2 of 2 nodes: 0/2 nodes are available: 2 Insufficient nvidia.com/gpu.",
    ),
    (
        "a peer comes late",
        training_job("Running"),
        [pod(**running()), pod("worker", "Pending", **unscheduled("0/2 nodes are available: 1 Insufficient nvidia.com/gpu."))],
        "Pending",
        "Unschedulable",
        "waiting for 1 of 2 nodes: 0/2 nodes are available: 1 Insufficient nvidia.com/gpu.",
    ),
    (
        "the first pod comes late, and the other one waits for it on its node",
        training_job("Created"),
        [
            pod(phase="Pending", **unscheduled("0/2 nodes are available: 1 Insufficient nvidia.com/gpu.")),
            pod("worker", "Pending", conditions=[{"type": "PodScheduled", "status": "True"}]),
        ],
        "Pending",
        "Unschedulable",
        "waiting for 1 of 2 nodes: 0/2 nodes are available: 1 Insufficient nvidia.com/gpu.",
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
        "job-sft-2-master-0: cannot pull trainer:1: not found; check the image and its pull secret",
    ),
    (
        "a wrong image of the init container",
        training_job("Created"),
        [pod(), pod("worker", "Pending", **waiting("ErrImagePull", "", "initContainerStatuses"))],
        "Pending",
        "ImagePullBackOff",
        "job-sft-2-worker-0: cannot pull trainer:1: ErrImagePull; check the image and its pull secret",
    ),
    (
        "a missing secret",
        training_job("Created"),
        [pod(phase="Pending", **waiting("CreateContainerConfigError", 'secret "hub" not found'))],
        "Pending",
        "CreateContainerConfigError",
        'job-sft-2-master-0: cannot start: secret "hub" not found',
    ),
    (
        "the trainer wrote a reason",
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
        "the end of the log explains if nothing else does",
        training_job("Failed"),
        [pod(phase="Failed", **ended(1, "starting\nImportError: no such module\n"))],
        "Failed",
        "Error",
        "job-sft-2-master-0: ended with exit code 1: ImportError: no such module",
    ),
    (
        "the first failure explains",
        training_job("Failed"),
        [pod(phase="Failed", **ended(1, time="12:00:09")), pod("worker", "Failed", **ended(65, SAID, time="12:00:05"))],
        "Failed",
        "BadData",
        "job-sft-2-worker-0: rows.jsonl:3: is not JSON",
    ),
    (
        "a pod that was only asked to stop does not explain",
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
        "one has done its part, the other still writes",
        training_job("Running"),
        [pod(), pod("worker", "Succeeded", **ended(0, reason="Completed"))],
        "Running",
        "",
        "",
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
        "job-sft-2-master-0 was removed from its node: The node was low on resource: memory.",
    ),
    (
        "preempted",
        training_job("Failed"),
        [pod(phase="Failed", **DISRUPTED)],
        "Failed",
        "PreemptionByScheduler",
        "job-sft-2-master-0 was removed from its node: preempted",
    ),
    (
        "failed while the pods that are being deleted still save",
        training_job("Failed"),
        [pod(), pod("worker")],
        "Stopping",
        "Stopping",
        "waiting for 2 pods to save and exit",
    ),
    (
        "and after they have saved",
        training_job("Failed"),
        [pod(), pod("worker", "Failed", **ended(75, {"exitCode": 75, "reason": "Stopped", "message": "saved"}))],
        "Failed",
        "Stopped",
        "job-sft-2-worker-0: saved",
    ),
    (
        "the watchdog of a pod whose peer was lost with its node",
        training_job("Failed"),
        [pod(phase="Failed", **ended(134, time="12:10:00")), pod("worker", phase="Failed", **DISRUPTED)],
        "Failed",
        "PreemptionByScheduler",
        "job-sft-2-worker-0 was removed from its node: preempted",
    ),
    (
        "the watchdog of a pod whose peer's node does not answer",
        training_job("Failed"),
        [pod(phase="Failed", **ended(134)), pod("worker", conditions=[{"type": "Ready", "status": "False"}])],
        "Failed",
        "PartnerLost",
        "another pod was lost with its node; job-sft-2-master-0: killed by signal 6",
    ),
    (
        "bad data stays bad data when a peer is lost as well",
        training_job("Failed"),
        [pod(phase="Failed", **ended(65, SAID)), pod("worker", phase="Failed", **DISRUPTED)],
        "Failed",
        "BadData",
        "job-sft-2-master-0: rows.jsonl:3: is not JSON",
    ),
    (
        "a process that was killed in a pod that lives on",
        training_job("Failed"),
        [pod(phase="Failed", **ended(70, {"exitCode": 70, "reason": "ProcessKilled", "message": "process 3 was killed"}))],
        "Failed",
        "ProcessKilled",
        "job-sft-2-master-0: process 3 was killed",
    ),
    (
        "a message with control characters and an invalid reason",
        training_job("Failed"),
        [
            pod(
                phase="Failed",
                **ended(1, FORGED),
            )
        ],
        "Failed",
        "Failed",
        "job-sft-2-master-0: a [31mb " + "c" * (3000 - 20 - 8 - 4) + " ...",
    ),
    (
        "the first pod came too late for the others",
        training_job("Failed"),
        [
            pod(phase="Pending", **unscheduled("0/2 nodes are available.")),
            pod("worker", "Failed", initContainerStatuses=[{"name": "init-pytorch", "state": {"terminated": {"exitCode": 1}}}]),
        ],
        "Failed",
        "PartnerLate",
        "job-sft-2-worker-0 gave up waiting for the first pod of its stage, which was not running yet",
    ),
    ("all pods gone", training_job("Failed"), [], "Failed", "PodsGone", "Failed it is"),
    ("done", training_job("Running", "Succeeded"), [pod(phase="Succeeded")], "Succeeded", "", ""),
    (
        "one of two pods runs on a node without power",
        training_job("Running"),
        [pod(conditions=[{"type": "Ready", "status": "True"}]), pod("worker", conditions=[{"type": "Ready", "status": "False"}])],
        "Running",
        "NodeNotReady",
        "waiting for job-sft-2-worker-0 on a node that does not answer; delete the node object if it will not come back",
    ),
    (
        "a running pod is no longer ready, but its node answers",
        training_job("Running"),
        [pod(conditions=[{"type": "Ready", "status": "False", "reason": "ContainersNotReady"}]), pod("worker")],
        "Running",
        "",
        "",
    ),
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
        "waiting for 1 pod to save and exit",
    ),
    ("deleted", training_job("Running", deleting=True), [pod()], "Stopping", "Stopping", "waiting for 1 pod to save and exit"),
]


@pytest.mark.parametrize(
    ("job", "pods", "state", "reason", "message"), [row[1:] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS]
)
def test_the_state_of_an_attempt(job: dict[str, Any], pods: list[dict[str, Any]], state: str, reason: str, message: str) -> None:
    child = observe(job, pods)
    assert (child.state, child.reason, child.message) == (state, reason, message)
    assert (child.name, child.stage, child.attempt, child.input_hash, child.fingerprint) == ("job-sft-2", "sft", 2, "in", "fp")


@pytest.mark.parametrize(("job", "pods"), [row[1:3] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS])
def test_a_trimmed_job_shows_the_same_state_without_the_templates_of_its_pods(
    job: dict[str, Any], pods: list[dict[str, Any]]
) -> None:
    replicas = {role: {**replica, "template": {"spec": {}}} for role, replica in job["spec"]["pytorchReplicaSpecs"].items()}
    whole = {**job, "spec": {**job["spec"], "pytorchReplicaSpecs": replicas}}
    kept = {**whole, "spec": trimmed(whole)}
    assert observe(kept, pods) == observe(whole, pods)
    assert [is_replica(kept, pod) for pod in pods] == [True] * len(pods)
    assert "template" not in str(kept)


@pytest.mark.parametrize(
    ("pods", "exit_code", "last_checkpoint"),
    [
        ([pod(phase="Failed", **ended(65, SAID))], 65, 40),
        ([pod(phase="Failed", **ended(137, reason="OOMKilled"))], 137, None),
        ([pod(phase="Failed", reason="Evicted", message="low")], 137, None),
        ([], 137, None),
    ],
)
def test_the_exit_code_of_a_failed_attempt(pods: list[dict[str, Any]], exit_code: int, last_checkpoint: int | None) -> None:
    child = observe(training_job("Failed"), pods)
    assert (child.exit_code, child.last_checkpoint) == (exit_code, last_checkpoint)


RUNS: list[tuple[str, list[dict[str, Any]], str | None]] = [
    ("none runs", [pod(phase="Pending")], None),
    ("one waits for its peer", [pod(**running("12:00:00")), pod("worker", "Pending")], None),
    ("the later one counts", [pod(**running("12:00:00")), pod("worker", **running("12:11:00"))], "12:11:00"),
    ("one has ended its part", [pod(**running("12:11:00")), pod("worker", "Succeeded", **ended(0))], "12:11:00"),
    ("one failed while its peer never ran", [pod(phase="Failed", **ended(1)), pod("worker", "Pending")], None),
    ("one failed, and the others are gone", [pod(phase="Failed", **ended(1))], "12:00:00"),
]


@pytest.mark.parametrize(("pods", "since"), [row[1:] for row in RUNS], ids=[row[0] for row in RUNS])
def test_an_attempt_runs_since_the_last_of_its_containers_started(pods: list[dict[str, Any]], since: str | None) -> None:
    start = observe(training_job("Running"), pods).start_time
    assert (f"{start:%H:%M:%S}" if start else None) == since


@pytest.mark.parametrize(
    ("said", "warnings"),
    [({}, None), ({"warnings": ["a\nsentence"]}, ("a sentence",)), ({"warnings": [], "ofANewerTrainer": 1}, None)],
)
def test_warnings_come_with_the_last_words_of_a_success(said: dict[str, Any], warnings: tuple[str, ...] | None) -> None:
    document = {"exitCode": 0, "reason": "Completed", "message": "done", "lastCheckpoint": 7, **said}
    child = observe(training_job("Succeeded"), [pod(phase="Succeeded", **ended(0, document))])
    assert (child.warnings, child.message, child.last_checkpoint) == (warnings, "done", 7)


FIGURES: list[tuple[str, dict[str, Any], tuple[int, dict[str, float]] | None]] = [
    ("all steps, and the last figures", {"totalSteps": 40, "metrics": {metrics.LOSS: 0.25}}, (40, {metrics.LOSS: 0.25})),
    ("a stage that measures nothing", {"totalSteps": 40}, (40, {})),
    ("a trainer of an earlier version", {}, None),
    (
        "figures that no status shows",
        {"totalSteps": 40, "metrics": {metrics.LOSS: 0.25, "made/up": 1.0}},
        (40, {metrics.LOSS: 0.25}),
    ),
    ("more steps than any stage can have", {"totalSteps": 10**12}, None),
    ("no steps", {"totalSteps": 0}, None),
]


@pytest.mark.parametrize(("said", "shown"), [row[1:] for row in FIGURES], ids=[row[0] for row in FIGURES])
def test_the_last_figures_come_with_the_last_words_of_a_success(
    said: dict[str, Any], shown: tuple[int, dict[str, float]] | None
) -> None:
    document = {"exitCode": 0, "reason": "Completed", "message": "done", **said}
    found = observe(training_job("Succeeded"), [pod(phase="Succeeded", **ended(0, document, time="12:00:09"))]).progress
    assert (found and (found.step, found.metrics)) == shown
    if found:
        assert (found.total_steps, found.percent, found.seconds_left) == (found.step, 100, 0)
        assert f"{found.updated_time:%H:%M:%S}" == "12:00:09"
    assert observe(training_job("Failed"), [pod(phase="Failed", **ended(1, document))]).progress is None


@pytest.mark.parametrize(
    "said",
    [
        {"lastCheckpoint": -1},
        {"lastCheckpoint": 10**30},
        {"modelRevision": "x" * 65},
        {"modelRevision": "main\n"},
        {"message": "m" * 3001},
        {"reason": ""},
    ],
)
def test_numbers_and_names_that_no_trainer_writes_are_left_out(said: dict[str, Any]) -> None:
    document = {"exitCode": 1, "reason": "Failed", "message": "m", **said}
    child = observe(training_job("Failed"), [pod(phase="Failed", **ended(1, document))])
    assert (child.last_checkpoint, child.model_revision, child.exit_code) == (None, None, 1)
    assert len(child.message) <= 3000
