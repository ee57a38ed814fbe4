"""AlignmentJobs for tests: how to write one, and how to read its status, children, Events and logs."""

import copy
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from alignment_api.document import read_document
from alignment_api.names import JOB_LABEL, PLURAL, stage_folder
from cluster.installation import Installation
from cluster.kubectl import Kubectl, Object, Refused

EXAMPLES = Path(__file__).parents[2] / "examples"
TINY: Object = read_document(EXAMPLES / "tiny.yaml")
CHECKPOINT_EVERY_STEPS = 5
SLOW, FAST = "120m", "2"
"""Limits of the CPU for pods that run already; SLOW is more than they request, since equal values would change their class."""
_PAUSE_SECONDS = 0.3


def short_job(name: str, steps: int = 40, **spec: Any) -> Object:
    """Return the example with SFT only: a few long steps with frequent checkpoints."""
    job = copy.deepcopy(TINY)
    job["metadata"]["name"] = name
    stage = job["spec"]["stages"][0]
    stage["sft"]["optimization"] = {"learningRate": 1e-3, "maxSteps": steps, "globalBatchSize": 32}
    stage["sft"].update(holdout=None, checkpoint={"everySteps": CHECKPOINT_EVERY_STEPS}, evaluation=None)
    stage["sft"] = {key: value for key, value in stage["sft"].items() if value is not None}
    job["spec"] = {**job["spec"], "stages": [stage], **copy.deepcopy(spec)}
    return job


def two_steps_of_dpo() -> Object:
    """Return the second stage of the example with two steps only."""
    stage = TINY["spec"]["stages"][1]
    optimization = {"learningRate": 1e-4, "maxSteps": 2, "globalBatchSize": 16}
    return {**stage, "dpo": {**stage["dpo"], "optimization": optimization}}


@dataclass(frozen=True)
class Job:
    """An AlignmentJob in the cluster."""

    kubectl: Kubectl
    installation: Installation
    name: str

    def read(self) -> Object:
        """Return the whole object."""
        found = self.kubectl.get(PLURAL, self.name)
        assert found is not None, f"there is no AlignmentJob {self.name}"
        return found

    @property
    def status(self) -> Object:
        """Return its status."""
        status: Object = self.read().get("status", {})
        return status

    def stage(self, name: str) -> Object:
        """Return the status of a stage."""
        return next((known for known in self.status.get("stages", []) if known["name"] == name), {"name": name})

    def folder(self, stage: str) -> str:
        """Return the folder of a stage on the workspace."""
        return str(stage_folder(self.kubectl.namespace, self.name, self.read()["metadata"]["uid"], stage))

    def pods(self) -> list[Object]:
        """Return its pods."""
        return self.kubectl.list("pods", f"{JOB_LABEL}={self.name}")

    def children(self) -> list[Object]:
        """Return its PyTorchJobs."""
        return self.kubectl.list("pytorchjobs", f"{JOB_LABEL}={self.name}")

    def events(self) -> list[tuple[str, str]]:
        """Return reason and message of its Events, in the order in which they were created."""
        uid = self.read()["metadata"]["uid"]
        events = [event for event in self.kubectl.list("events") if event["involvedObject"].get("uid") == uid]
        events.sort(key=lambda event: event["metadata"]["creationTimestamp"])
        return [(event["reason"], event["message"]) for event in events]

    def change(self, **spec: Any) -> None:
        """Change fields of its spec."""
        self.kubectl.patch(PLURAL, self.name, {"spec": spec})

    def wait(self, what: str, holds: Callable[[Object], object], patience_seconds: float = 300) -> Object:
        """Watch the status until it satisfies the condition, and return it."""
        end = time.monotonic() + patience_seconds
        while (left := end - time.monotonic()) > 0:
            with self.kubectl.watched(PLURAL, self.name, "{.status}", left) as lines:
                for status in (json.loads(line or "{}") for line in lines):
                    if holds(status):
                        return status
            # The connection ended, or there is no such job yet.
            time.sleep(_PAUSE_SECONDS)
        raise AssertionError(f"timed out after {patience_seconds:.0f} s waiting until {what}\n{self.describe()}")

    def wait_for_end(self, phase: str = "Succeeded") -> Object:
        """Wait until the job has ended, check its phase, and return its status."""
        status = self.wait("the job ends", lambda status: status.get("phase") in ("Succeeded", "Failed"), 600)
        assert status["phase"] == phase, self.describe()
        return status

    def limit_cpu(self, cpu: str) -> None:
        """Limit the CPU of its pods while they run, so that a job that only has to go on leaves CPU to others."""
        limited = {"spec": {"containers": [{"name": "pytorch", "resources": {"limits": {"cpu": cpu}}}]}}
        for pod in self.pods():
            self.kubectl("patch", "pod", pod["metadata"]["name"], "--subresource", "resize", "--patch", json.dumps(limited))

    def delete(self) -> None:
        """Delete it with all its children."""
        delete(self)

    def describe(self) -> str:
        """Return everything that helps to understand a failed test."""
        parts = {
            "job": lambda: yaml.safe_dump(self.read().get("status")),
            "pods": lambda: self.kubectl("get", "pods", "--selector", f"{JOB_LABEL}={self.name}", "--output", "wide"),
            "events": lambda: "\n".join(": ".join(event) for event in self.events()),
            "logs": lambda: self.kubectl("logs", "--selector", f"{JOB_LABEL}={self.name}", "--tail", "20", "--prefix"),
            "operator": self.installation.operator_log,
        }
        return "\n".join(f"--- {title}\n{_attempt(part)}" for title, part in parts.items())


StartJob = Callable[[Object], Job]


def start_job(kubectl: Kubectl, installation: Installation, document: Object) -> Job:
    """Apply a job."""
    kubectl.apply(document)
    return Job(kubectl, installation, document["metadata"]["name"])


def delete(*jobs: Job) -> None:
    """Delete jobs of one namespace with all their children, and wait for all of them together."""
    if jobs:
        jobs[0].kubectl.delete(PLURAL, *(job.name for job in jobs), "--cascade=foreground")


def _attempt(part: Callable[[], str]) -> str:
    try:
        return part()
    except (Refused, AssertionError) as error:
        return str(error)
