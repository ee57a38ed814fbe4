"""Pods belong to the child at the top of their controllers, in whatever order these are seen."""

from itertools import permutations
from typing import Any

import pytest
from alignment_operator.cluster.children import Children
from observed_pods import controlled_by, pod, training_job
from other_backend import OTHER

CHAIN = ("TrainJob", "JobSet", "Job", "Pod")


def an_object(kind: str, owner: str = "", version: int = 1, **status: Any) -> dict[str, Any]:
    """One object of the chain; its uid is its kind, and its controller is of the kind before it."""
    owner_kind = owner or ("AlignmentJob", *CHAIN)[CHAIN.index(kind)]
    group = "alignment-operator.dev/v1alpha1" if owner_kind == "AlignmentJob" else "any/v1"
    found = training_job(version=version) if kind == "TrainJob" else pod("node", version=version, **status)
    owner_uid = "u1" if owner_kind == "AlignmentJob" else owner_kind
    metadata = {**found["metadata"], "uid": kind, "ownerReferences": [controlled_by(group, owner_kind, owner_uid)]}
    return {**found, "kind": kind, "spec": {}, "metadata": metadata}


def seen(children: Children) -> list[tuple[str, str]]:
    return [(child.state, child.message) for child in children.of("team", "job", "u1")]


@pytest.mark.parametrize("order", list(permutations(CHAIN)), ids="-".join)
def test_pods_belong_to_their_child_in_whatever_order_the_chain_is_seen(order: tuple[str, ...]) -> None:
    children = Children(OTHER)
    jobs = [children.observe("ADDED", an_object(kind, podIP="10.0.0.1")) for kind in order]
    assert seen(children) == [("Running", "1 pods")]
    assert {"u1"} in jobs
    assert children.first_pods("team", "job", "u1") == [("u1", "sft", 2, "10.0.0.1")]
    assert children.jobs_with_pods() == {"u1"}


def a_chain() -> Children:
    children = Children(OTHER)
    for kind in CHAIN:
        children.observe("ADDED", an_object(kind))
    return children


def delete(children: Children, *kinds: str) -> None:
    for kind in kinds:
        children.observe("DELETED", an_object(kind, version=2))


def test_pods_stop_after_their_child_and_the_chain_are_deleted_and_nothing_is_remembered() -> None:
    children = a_chain()
    delete(children, "TrainJob", "JobSet", "Job")
    assert seen(children) == [("Stopping", "")]
    delete(children, "Pod")
    assert seen(children) == []
    assert children.jobs_with_pods() == set()
    assert children._owners._controllers == {}


def test_a_chain_that_is_deleted_from_below_is_forgotten_as_well() -> None:
    children = a_chain()
    delete(children, "Pod", "Job", "JobSet", "TrainJob")
    assert seen(children) == []
    assert children._owners._controllers == {}


def test_a_waiting_pod_that_disappears_never_counts() -> None:
    for end in ("watch", "list"):
        children = Children(OTHER)
        children.observe("ADDED", an_object("TrainJob"))
        children.observe("ADDED", an_object("Pod"))
        if end == "watch":
            delete(children, "Pod")
        else:
            children.replace("Pod", [], 2)
        for kind in ("JobSet", "Job"):
            children.observe("ADDED", an_object(kind))
        assert seen(children) == [("Running", "0 pods")]


@pytest.mark.parametrize(
    ("kind", "owner"),
    [("Pod", "JobSet"), ("Pod", "TrainJob"), ("Job", "TrainJob"), ("JobSet", "AlignmentJob"), ("Pod", "AlignmentJob")],
)
def test_an_object_whose_controller_is_not_of_the_kind_above_it_is_ignored(kind: str, owner: str) -> None:
    children = Children(OTHER)
    for each in CHAIN:
        children.observe("ADDED", an_object(each, owner if each == kind else ""))
    assert seen(children) == [("Running", "0 pods")]
