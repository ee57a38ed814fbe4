"""The children, from lists, watch events and answers of the API server."""

from typing import Any

import pytest
from alignment_operator.backends import pytorchjob
from alignment_operator.cluster.children import Children
from observed_pods import LABELS, SAID, controlled_by, ended, pod, running, training_job

JOB_OWNER = ("alignment-operator.dev/v1alpha1", "AlignmentJob", "u1")


def test_children_are_kept_by_job_and_older_versions_are_ignored() -> None:
    children = Children(pytorchjob)
    children.observe("ADDED", training_job("Running", version=5))
    children.observe("ADDED", pod(version=6))
    children.observe("ADDED", pod("worker", version=7))
    assert [child.state for child in children.of("team", "job", "u1")] == ["Running"]
    children.observe("MODIFIED", pod("worker", "Pending", version=4))
    assert [child.state for child in children.of("team", "job", "u1")] == ["Running"]
    children.observe("MODIFIED", training_job("Running", deleting=True, version=8))
    assert [child.state for child in children.of("team", "job", "u1")] == ["Stopping"]
    assert children.of("team", "job", "another") == []


def test_pods_that_outlive_their_child_are_stopping() -> None:
    children = Children(pytorchjob)
    for found in (training_job("Running", version=1), pod(version=2)):
        children.observe("ADDED", found)
    children.observe("DELETED", training_job(version=3))
    (left,) = children.of("team", "job", "u1")
    assert (left.name, left.stage, left.attempt, left.state) == ("job-sft-2", "sft", 2, "Stopping")
    children.observe("DELETED", pod(version=4))
    assert children.of("team", "job", "u1") == []


def test_the_last_status_of_a_deleted_pod_counts_until_its_child_is_deleted() -> None:
    children = Children(pytorchjob)
    last = pod("worker", "Failed", version=4, **ended(75, SAID))
    for found in (training_job("Running", version=1), pod(version=2), pod("worker", version=3)):
        children.observe("ADDED", found)
    children.observe("DELETED", last)
    (child,) = children.of("team", "job", "u1")
    assert (child.state, child.exit_code, child.last_checkpoint) == ("Failed", 75, 40)
    children.replace("PyTorchJob", [training_job("Failed", version=5)], 5)
    children.replace("Pod", [pod(version=2)], 5)
    assert [child.last_checkpoint for child in children.of("team", "job", "u1")] == [40]
    children.observe("MODIFIED", training_job("Failed", version=6, deleting=True))
    assert [child.message for child in children.of("team", "job", "u1")] == ["waiting for 1 pod to save and exit"]
    children.observe("DELETED", training_job("Failed", version=7))
    children.observe("DELETED", pod(version=8))
    assert children.of("team", "job", "u1") == []


def test_a_list_returns_the_jobs_whose_children_changed() -> None:
    children = Children(pytorchjob)
    assert children.observe("ADDED", training_job("Running", version=1))
    assert children.replace("PyTorchJob", [training_job("Running", version=1)], 1) == set()
    assert children.replace("PyTorchJob", [training_job("Failed", version=2)], 2) == {"u1"}
    assert children.replace("Pod", [], 3) == set()
    assert children.replace("PyTorchJob", [], 3) == {"u1"}
    assert children.of("team", "job", "u1") == []
    assert children.replace("PyTorchJob", [], 4) == set()


def test_events_that_arrive_during_a_list_outlive_it() -> None:
    children = Children(pytorchjob)
    children.observe("ADDED", training_job("Failed", version=7))
    children.observe("ADDED", pod(phase="Failed", version=8, **ended(1)))
    children.observe("DELETED", pod("worker", version=9))
    assert children.replace("PyTorchJob", [training_job("Running", version=5)], 6) == set()
    assert children.replace("Pod", [pod("worker", version=4)], 6) == set()
    (child,) = children.of("team", "job", "u1")
    assert child.state == "Failed"
    assert children.unstarted_pods("team", child) == []


def test_an_object_without_owner_is_ignored() -> None:
    children = Children(pytorchjob)
    assert not children.observe("ADDED", {"kind": "Pod", "metadata": {"name": "other"}})
    assert children.of("team", "job", "") == []


def test_pods_whose_trainer_never_started_have_nothing_to_save() -> None:
    children = Children(pytorchjob)
    for found in (training_job("Created"), pod(), pod("worker", "Pending")):
        children.observe("ADDED", found)
    (child,) = children.of("team", "job", "u1")
    assert children.unstarted_pods("team", child) == ["job-sft-2-worker-0"]


def test_pods_are_identified_by_uid_as_in_events() -> None:
    children = Children(pytorchjob)
    for found in (training_job("Created"), pod(), pod("worker", "Pending")):
        found["metadata"].setdefault("uid", f"uid of {found['metadata']['name']}")
        children.observe("ADDED", found)
    (child,) = children.of("team", "job", "u1")
    assert sorted(children.pod_uids("team", child)) == ["uid of job-sft-2-master-0", "uid of job-sft-2-worker-0"]


def test_a_pod_with_only_some_of_the_labels_is_ignored() -> None:
    children = Children(pytorchjob)
    children.observe("ADDED", training_job("Running"))
    for left_out in ("alignment-operator.dev/stage", "alignment-operator.dev/attempt"):
        stranger = pod("stranger")
        stranger["metadata"]["labels"] = {key: value for key, value in LABELS.items() if key != left_out}
        assert not children.observe("ADDED", stranger)
    assert [child.name for child in children.of("team", "job", "u1")] == ["job-sft-2"]


def test_a_pod_of_another_namespace_is_ignored_whatever_owner_it_names() -> None:
    children = Children(pytorchjob)
    for found in (training_job("Running", version=1), pod(version=2, **running()), pod("worker", version=3, **running())):
        children.observe("ADDED", found)
    before = children.of("team", "job", "u1")
    forged = pod("master", "Failed", version=4, **ended(65, SAID))
    forged["metadata"]["namespace"] = "mallory"
    children.observe("ADDED", forged)
    stray = pod("master", "Failed", version=5, **ended(65, SAID))
    stray["metadata"] = {**stray["metadata"], "namespace": "mallory", "ownerReferences": []}
    assert children.observe("ADDED", stray) == set()
    assert children.of("team", "job", "u1") == before
    assert [child.state for child in before] == ["Running"]


@pytest.mark.parametrize(
    "name", ["stranger", "job-sft-2-worker-1", "job-sft-2-worker-00", "job-sft-2-chief-0", "job-sft-2-worker-²"]
)
def test_a_pod_without_the_name_of_a_replica_is_ignored_whatever_owner_it_names(name: str) -> None:
    children = Children(pytorchjob)
    for found in (training_job("Running", version=1), pod(version=2, **running()), pod("worker", version=3, **running())):
        children.observe("ADDED", found)
    forged = pod("worker", "Failed", version=4, **ended(65, SAID))
    forged["metadata"]["name"] = name
    children.observe("ADDED", forged)
    assert [child.state for child in children.of("team", "job", "u1")] == ["Running"]


FORGERIES: list[tuple[str, dict[str, Any]]] = [
    ("no owner", {"ownerReferences": []}),
    ("not controlled by the job", {"ownerReferences": [{**controlled_by(*JOB_OWNER), "controller": False}]}),
    ("owned by another kind", {"ownerReferences": [controlled_by("apps/v1", "AlignmentJob", "u1")]}),
    ("in another namespace", {"namespace": "mallory"}),
    ("with a name that the operator does not give", {"name": "job-sft-3"}),
    ("an attempt of twenty digits", {"labels": {**LABELS, "alignment-operator.dev/attempt": "9" * 20}}),
    ("an attempt that is not a number", {"labels": {**LABELS, "alignment-operator.dev/attempt": "²"}}),
]


@pytest.mark.parametrize("forged", [row[1] for row in FORGERIES], ids=[row[0] for row in FORGERIES])
def test_a_forged_child_is_ignored(forged: dict[str, Any]) -> None:
    children = Children(pytorchjob)
    stranger = training_job("Succeeded")
    stranger["metadata"] = {**stranger["metadata"], "uid": "p9", **forged}
    children.observe("ADDED", stranger)
    assert children.of("team", "job", "u1") == []


def test_pods_that_are_seen_before_their_child_belong_to_it() -> None:
    children = Children(pytorchjob)
    for found in (pod(version=1, **running()), pod("worker", version=2, **running()), training_job("Running", version=3)):
        children.observe("ADDED", found)
    assert [child.state for child in children.of("team", "job", "u1")] == ["Running"]


def test_the_first_pod_of_the_newest_attempt_answers_for_a_stage() -> None:
    children = Children(pytorchjob)
    for found in (training_job("Running"), pod(podIP="10.0.0.1"), pod("worker", podIP="10.0.0.2")):
        children.observe("ADDED", found)
    assert children.first_pods("team", "job", "u1") == [("u1", "sft", 2, "10.0.0.1")]
    labels = {**LABELS, "alignment-operator.dev/attempt": "10"}
    later, its_pod = training_job("Running", version=2), pod(version=2, podIP="10.0.0.3")
    later["metadata"] |= {"name": "job-sft-10", "uid": "p2", "labels": labels}
    owners = [controlled_by("kubeflow.org/v1", "PyTorchJob", "p2")]
    its_pod["metadata"] |= {"name": "job-sft-10-master-0", "labels": labels, "ownerReferences": owners}
    for found in (its_pod, later):
        children.observe("ADDED", found)
    assert children.first_pods("team", "job", "u1") == [("u1", "sft", 10, "10.0.0.3")]
    assert children.first_pods("mallory", "job", "u1") == []


def silent(situation: str) -> dict[str, Any]:
    match situation:
        case "pending":
            return pod(phase="Pending", podIP="10.0.0.1")
        case "ended":
            return pod(phase="Failed", podIP="10.0.0.1")
        case "no address":
            return pod()
    stranger = pod("stranger", podIP="10.0.0.1")
    if situation == "another namespace":
        stranger = pod(podIP="10.0.0.1")
        stranger["metadata"]["namespace"] = "mallory"
    return stranger


@pytest.mark.parametrize("situation", ["pending", "ended", "no address", "another namespace", "another name"])
def test_a_pod_that_cannot_answer_for_its_attempt_gets_no_requests(situation: str) -> None:
    children = Children(pytorchjob)
    children.observe("ADDED", training_job("Running"))
    children.observe("ADDED", silent(situation))
    assert children.first_pods("team", "job", "u1") == []
