"""From questions to an aligned model with a teacher and a judge in the cluster; killed pods pay for no answer twice."""

import json
from collections.abc import Iterator

import pytest
from alignment_api.document import read_document
from alignment_api.names import STAGE_LABEL
from cluster.conftest import StartJob
from cluster.environment import Environment
from cluster.jobs import EXAMPLES, Job
from cluster.kubectl import Object, wait_for
from cluster.teacher import KEY, NAME, Teacher, running_teacher
from cluster.workspace import Workspace

AT_ONCE = 2
"""Requests to a model at the same time: at most so many are on their way when a pod is killed."""
PER_MINUTE = 360
"""Requests to a model per minute, so few that a stage takes half a minute on any machine, and is killed in its middle."""
MODELS = ("teacher", "student", "apprentice", "judge")


@pytest.fixture(scope="module")
def teacher(workspace: Workspace, environment: Environment, images: str) -> Iterator[Teacher]:
    with running_teacher(workspace, f"{environment.registry}/alignment-trainer:{images}", environment.steady) as server:
        yield server


def a_short_zephyr(teacher: Teacher) -> Object:
    """Return zephyr-tiny with the teacher of the cluster, few rows and few steps, in one pod."""
    # In the file, one endpoint stands for several.
    job: Object = json.loads(json.dumps(read_document(EXAMPLES / "zephyr-tiny.yaml")))
    distill, sft, feedback, dpo = job["spec"]["stages"]
    asked = [*distill["distill"]["teachers"], feedback["feedback"]["judge"]]
    for endpoint in [*asked, *(known["endpoint"] for known in feedback["feedback"]["responders"] if "endpoint" in known)]:
        endpoint.update(
            baseUrl=teacher.base_url, concurrency=AT_ONCE, requestsPerMinute=PER_MINUTE, apiKeySecret={"name": NAME, "key": KEY}
        )
    distill["distill"]["prompts"][0]["maxExamples"] = 200
    feedback["feedback"]["prompts"][0]["maxExamples"] = 40
    for settings, steps in ((sft["sft"], 60), (dpo["dpo"], 5)):
        del settings["optimization"]["epochs"]
        settings["optimization"]["maxSteps"] = steps
        for unused in ("holdout", "evaluation"):
            del settings[unused]
    job["spec"]["compute"]["nodes"] = 1
    return job


def test_killed_pods_pay_for_no_answer_twice(start: StartJob, workspace: Workspace, teacher: Teacher) -> None:
    job = start(a_short_zephyr(teacher))
    for stage, answers in (("distill", 40), ("feedback", 60)):
        job.wait(f"{stage} runs", lambda status, stage=stage: _state(status, stage) == "Running", 600)
        before = sum(teacher.answered().values())
        wait_for("it has some answers", lambda before=before, answers=answers: _has(teacher, before + answers), job.describe)
        _kill_the_pod(job, stage)
    status = job.wait_for_end()
    assert teacher.restarts() == 0
    assert status["stages"][1]["attempts"] == status["stages"][3]["attempts"] == 1
    # What was on its way at a kill may have been paid for without an answer: at most so much of each model. Besides, each attempt
    # asks each model for one token.
    repeated = [digest for digest, times in teacher.answered().items() if times > 1]
    assert len(repeated) <= AT_ONCE + len(MODELS) * AT_ONCE + len(MODELS)
    rows = _rows(workspace, job, "distill")
    assert len(rows) > 150
    assert {row["provenance"]["teacher"]["model"] for row in rows} == {"teacher"}
    assert len(_rows(workspace, job, "feedback")) > 10
    assert teacher.key not in job.kubectl("get", "configmaps,pods,pytorchjobs,alignmentjobs", "--output", "json")
    assert teacher.key not in (workspace.read(f"{job.folder('distill')}/asked.jsonl") or "")


def _kill_the_pod(job: Job, stage: str) -> None:
    """Remove the pod at once, and wait for the one that takes its place: of the same PyTorchJob, or of the next attempt."""
    (killed,) = _pods(job, stage)
    job.kubectl.delete("pod", killed["metadata"]["name"], "--grace-period=0", "--force", "--wait=false")
    uid = killed["metadata"]["uid"]
    wait_for(
        "another pod runs in its place",
        lambda: any(
            pod["metadata"]["uid"] != uid and pod["status"].get("phase") in ("Running", "Succeeded") for pod in _pods(job, stage)
        ),
        job.describe,
    )


def _pods(job: Job, stage: str) -> list[Object]:
    return [pod for pod in job.pods() if pod["metadata"]["labels"][STAGE_LABEL] == stage]


def _state(status: Object, stage: str) -> str | None:
    return next((known["state"] for known in status.get("stages", []) if known["name"] == stage), None)


def _has(teacher: Teacher, answers: int) -> bool:
    return sum(teacher.answered().values()) >= answers


def _rows(workspace: Workspace, job: Job, stage: str) -> list[Object]:
    text = workspace.read(f"{job.folder(stage)}/rows/part-00000.jsonl")
    assert text, f"{stage} has written no rows"
    return [json.loads(line) for line in text.splitlines()]
