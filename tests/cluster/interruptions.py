"""Jobs that ask teachers and judges, and whose pods are killed while they ask."""

import json
from dataclasses import dataclass

from alignment_api.document import read_document
from alignment_api.names import STAGE_LABEL
from cluster.installation import Installation
from cluster.jobs import EXAMPLES, Job, start_job
from cluster.kubectl import Object, wait_for
from cluster.teacher import KEY, NAME, Teacher, start_teacher
from cluster.workspace import Workspace

AT_ONCE = 2
"""Requests to a model at the same time: at most so many are on their way when a pod is killed."""
_PER_MINUTE = 360
"""Requests to a model per minute, so few that a stage takes half a minute on any machine, and is killed in its middle."""
_VERDICTS_PER_MINUTE = 240
"""So few that the judge of a round takes some seconds, and is killed in their middle."""
_LOOK_EVERY_SECONDS = 1.5
"""Each look at what the teacher has counted opens a connection of its own."""
_CPU = "400m"
"""For each pod: these jobs take longest, and leave room for others beside them."""


@dataclass(frozen=True)
class Interrupted:
    """A job that has ended, and what its teachers have counted meanwhile."""

    job: Job
    workspace: Workspace
    teacher: Teacher
    status: Object
    paid: dict[str, int]
    """How often the teacher has answered each request of this job, by the request's digest."""
    restarts: int
    """How often the teacher has started again, and forgotten what it had counted."""

    def lines(self, stage: str, path: str) -> list[str]:
        """Return the lines of a file in a stage's folder; none if it does not exist."""
        return _lines(self.workspace, f"{self.job.folder(stage)}/{path}")


@dataclass(frozen=True)
class Interruptions:
    """Two jobs, one after the other."""

    zephyr: Interrupted
    rounds: Interrupted
    verdicts_at_kill: int
    """The verdicts that the second round had when its pod was killed."""


def interruptions(installation: Installation, workspace: Workspace, image: str, node_selector: dict[str, str]) -> Interruptions:
    """Run both jobs with a teacher that counts."""
    teacher = start_teacher(workspace, image, node_selector)
    job = start_job(workspace.kubectl, installation, _a_short_zephyr(teacher))
    zephyr = _interrupt_stages(job, workspace, teacher)
    before = teacher.answered()
    job = start_job(workspace.kubectl, installation, _a_short_dpo_kd(teacher))
    return Interruptions(zephyr, *_interrupt_a_round(job, workspace, teacher, before))


def _a_short_zephyr(teacher: Teacher) -> Object:
    """Return zephyr-tiny with the teacher of the cluster, few rows, questions and steps, in one pod."""
    # In the file, one endpoint stands for several.
    job: Object = json.loads(json.dumps(read_document(EXAMPLES / "zephyr-tiny.yaml")))
    distill, sft, feedback, dpo, table, _ = job["spec"]["stages"]
    asked = [*distill["distill"]["teachers"], feedback["feedback"]["judge"], *table["evaluate"]["judges"]]
    for endpoint in [*asked, *(known["endpoint"] for known in feedback["feedback"]["responders"] if "endpoint" in known)]:
        endpoint.update(_served_by(teacher), requestsPerMinute=_PER_MINUTE)
    distill["distill"]["prompts"][0]["maxExamples"] = 200
    feedback["feedback"]["prompts"][0]["maxExamples"] = 40
    table["evaluate"]["tasks"][0]["limit"] = 12
    for settings, steps in ((sft["sft"], 30), (dpo["dpo"], 5)):
        del settings["optimization"]["epochs"]
        settings["optimization"]["maxSteps"] = steps
        for unused in ("holdout", "evaluation"):
            del settings[unused]
    job["spec"]["compute"].update(nodes=1, cpu=_CPU)
    return job


def _a_short_dpo_kd(teacher: Teacher) -> Object:
    """Return dpo-kd-online-tiny with the teacher of the cluster, in two pods: two rounds of few questions and few steps."""
    job: Object = json.loads(json.dumps(read_document(EXAMPLES / "dpo-kd-online-tiny.yaml")))
    settings = job["spec"]["stages"][0]["dpoDistillation"]
    settings["teacher"].update(_served_by(teacher), concurrency=32)
    # Sampled in two batches, one by each pod.
    settings["prompts"][0]["maxExamples"] = 264
    settings["roundJudge"]["endpoint"].update(_served_by(teacher), requestsPerMinute=_VERDICTS_PER_MINUTE)
    settings["roundJudge"]["maximumQuestions"] = 24
    # A rate at which the student's answers change in two steps, so that the judge is asked.
    settings.update(rounds=2, optimization={"learningRate": 1e-3, "maxSteps": 2, "globalBatchSize": 16})
    del settings["evaluation"]
    job["spec"]["compute"]["cpu"] = _CPU
    return job


def _served_by(teacher: Teacher) -> Object:
    return {"baseUrl": teacher.base_url, "concurrency": AT_ONCE, "apiKeySecret": {"name": NAME, "key": KEY}}


def _interrupt_stages(job: Job, workspace: Workspace, teacher: Teacher) -> Interrupted:
    """Kill the pod of two stages while they ask."""
    for stage, answers in (("distill", 40), ("feedback", 60)):
        job.wait(f"{stage} runs", lambda status, stage=stage: _state(status, stage) == "Running", 600)
        before = sum(teacher.answered().values())
        wait_for(
            "it has some answers",
            lambda before=before, answers=answers: _has(teacher, before + answers),
            job.describe,
            pause_seconds=_LOOK_EVERY_SECONDS,
        )
        _kill_the_pod(job, stage)
    return Interrupted(job, workspace, teacher, job.wait_for_end(), teacher.answered(), teacher.restarts())


def _interrupt_a_round(job: Job, workspace: Workspace, teacher: Teacher, before: dict[str, int]) -> tuple[Interrupted, int]:
    """Kill the pod that asks the judge of the second round, and return the number of verdicts that it had."""
    verdicts = f"{job.folder('distill')}/rounds/2/verdicts/made.jsonl"
    wait_for("the second round has verdicts", lambda: len(_lines(workspace, verdicts)) >= 2, job.describe, 600)
    _kill_the_pod(job, "distill")
    known = len(_lines(workspace, verdicts))
    status = job.wait_for_end()
    paid = {digest: times - before.get(digest, 0) for digest, times in teacher.answered().items()}
    return Interrupted(job, workspace, teacher, status, paid, teacher.restarts()), known


def _kill_the_pod(job: Job, stage: str) -> None:
    """Remove the pod that asks, at once, and wait for the one that takes its place: of the same PyTorchJob, or of the next."""
    (killed,) = _asking_pods(job, stage)
    job.kubectl.delete("pod", killed["metadata"]["name"], "--grace-period=0", "--force", "--wait=false")
    uid = killed["metadata"]["uid"]
    wait_for(
        "another pod runs in its place",
        lambda: any(
            pod["metadata"]["uid"] != uid and pod["status"].get("phase") in ("Running", "Succeeded")
            for pod in _asking_pods(job, stage)
        ),
        job.describe,
    )


def _asking_pods(job: Job, stage: str) -> list[Object]:
    """Return the pods of a stage's first processes: there is one for each attempt."""
    pods = [pod for pod in job.pods() if pod["metadata"]["labels"][STAGE_LABEL] == stage]
    return [pod for pod in pods if pod["metadata"]["name"].endswith("-master-0")]


def _state(status: Object, stage: str) -> str | None:
    return next((known["state"] for known in status.get("stages", []) if known["name"] == stage), None)


def _has(teacher: Teacher, answers: int) -> bool:
    return sum(teacher.answered().values()) >= answers


def _lines(workspace: Workspace, path: str) -> list[str]:
    return (workspace.read(path) or "").splitlines()
