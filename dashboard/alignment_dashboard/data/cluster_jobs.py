"""Reads the jobs of a cluster from the watches of this process."""

import shlex
import threading
import time
from collections.abc import Sequence
from functools import lru_cache

from alignment_api.names import JOB_LABEL, STAGE_LABEL
from alignment_api.spec.job import AlignmentJob

from alignment_dashboard.data.cluster_api import UNREACHABLE
from alignment_dashboard.data.listing import Failure, Guidance, Listing
from alignment_dashboard.data.source import namespaces
from alignment_dashboard.data.watch import JobWatch, Known

FIRST_ANSWER_SECONDS = 5
UNREADABLE_NAMED = 3
OPERATOR_PODS = (
    "kubectl get pods --all-namespaces --selector app.kubernetes.io/name=alignment-operator,app.kubernetes.io/component=operator"
)

_starting = threading.Lock()


def read_jobs() -> Listing:
    """Return every job of the named namespaces, as the watches last saw it."""
    names = namespaces()
    with _starting:
        known = [watch.known() for watch in watches(names)]
    return Listing(
        jobs=tuple(job for part in known for job in part.jobs),
        problems=_problems([sentence for part in known for sentence in part.unreadable]),
        guidance=_guidance(names),
        failures=tuple(_failures(known)),
        answered=all(part.last_answer for part in known),
    )


@lru_cache(maxsize=1)
def watches(names: tuple[str, ...]) -> tuple[JobWatch, ...]:
    """Start the watches, once in this process; the first visitor waits a few seconds instead of seeing an empty page."""
    started = tuple(JobWatch(name) for name in names or (None,))
    for watch in started:
        watch.start()
    deadline = time.monotonic() + FIRST_ANSWER_SECONDS
    for watch in started:
        watch.answered.wait(max(0.0, deadline - time.monotonic()))
    return started


def _problems(unreadable: list[str]) -> tuple[str, ...]:
    if not unreadable:
        return ()
    named, rest = unreadable[:UNREADABLE_NAMED], len(unreadable) - UNREADABLE_NAMED
    more = f"; and {rest} more" if rest > 0 else ""
    return (f"{'; '.join(named)}{more}. If a newer version wrote them, update the dashboard.",)


def _failures(known: Sequence[Known]) -> list[Failure]:
    """Return each failure once, even if several namespaces have it."""
    found = dict.fromkeys(part.failure for part in known if part.failure)
    return [_dated(failure, [part for part in known if part.failure == failure]) for failure in found]


def _dated(failure: Failure, parts: list[Known]) -> Failure:
    """Add to a failure how old the jobs on the page are."""
    answers = [part.last_answer for part in parts if part.last_answer]
    if answers:
        return failure._replace(message=f"{failure.message} The page shows the state of {min(answers):%Y-%m-%d %H:%M:%S} UTC.")
    if failure.label == UNREACHABLE:
        return failure._replace(message=f"{failure.message} The dashboard has read no jobs from the cluster yet.")
    return failure


def _guidance(names: tuple[str, ...]) -> Guidance:
    where = f"namespace{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else "all namespaces"
    return Guidance(
        empty=f"No AlignmentJobs in {where}",
        explanation="This page shows a job as soon as it is in the cluster. Create one with:",
        command=f"kubectl apply --namespace {names[0] if names else 'default'} --filename examples/tiny.yaml",
        elsewhere="Jobs in another namespace? Name it in the chart's watchNamespaces (ALIGNMENT_NAMESPACES of the dashboard)."
        if names
        else "The example says which volume and data it needs.",
        missing=f"it was deleted, or it is not in {where} of this cluster.",
        unseen=f"The operator has not written a status for this job yet. Check that it runs, and read its logs: {OPERATOR_PODS}",
        silence=_silence,
    )


def _silence(job: AlignmentJob, stage: str) -> str:
    selector = f"{JOB_LABEL}={job.metadata.name},{STAGE_LABEL}={stage}"
    command = ["kubectl", "logs", "--namespace", job.metadata.namespace or "default", "--selector", selector, "--tail", "50"]
    return f"Read the logs of its pods: {shlex.join(command)}"
