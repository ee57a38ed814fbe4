"""From questions to an aligned model with a teacher and a judge in the cluster; killed pods pay for no answer twice."""

import json
from collections.abc import Iterator

import pytest
from alignment_api.document import read_document
from alignment_api.metrics import STAGE_TAG
from alignment_api.names import REPORT_FILE, STAGE_LABEL
from alignment_api.results.evaluation import EvaluationReport
from chromium import opened_browser
from cluster import tracking
from cluster.conftest import StartJob
from cluster.environment import Environment
from cluster.jobs import EXAMPLES, Job
from cluster.kubectl import Object, wait_for
from cluster.teacher import KEY, NAME, Teacher, running_teacher
from cluster.workspace import Workspace
from settled_pages import open_settled, tables

AT_ONCE = 2
"""Requests to a model at the same time: at most so many are on their way when a pod is killed."""
PER_MINUTE = 360
"""Requests to a model per minute, so few that a stage takes half a minute on any machine, and is killed in its middle."""
VERDICTS_PER_MINUTE = 240
"""So few that the judge of a round takes some seconds, and is killed in their middle."""
MODELS = ("teacher", "student", "apprentice", "judge")
_LOAD = """
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained("/workspace/{folder}")
print(type(model.model.layers[0].mlp.down_proj).__name__)
"""


@pytest.fixture(scope="module")
def teacher(workspace: Workspace, environment: Environment, images: str) -> Iterator[Teacher]:
    with running_teacher(workspace, f"{environment.registry}/alignment-trainer:{images}", environment.steady) as server:
        yield server


def a_short_zephyr(teacher: Teacher) -> Object:
    """Return zephyr-tiny with the teacher of the cluster, few rows, questions and steps, in one pod."""
    # In the file, one endpoint stands for several.
    job: Object = json.loads(json.dumps(read_document(EXAMPLES / "zephyr-tiny.yaml")))
    distill, sft, feedback, dpo, table, _ = job["spec"]["stages"]
    asked = [*distill["distill"]["teachers"], feedback["feedback"]["judge"], *table["evaluate"]["judges"]]
    for endpoint in [*asked, *(known["endpoint"] for known in feedback["feedback"]["responders"] if "endpoint" in known)]:
        endpoint.update(_served_by(teacher), requestsPerMinute=PER_MINUTE)
    distill["distill"]["prompts"][0]["maxExamples"] = 200
    feedback["feedback"]["prompts"][0]["maxExamples"] = 40
    table["evaluate"]["tasks"][0]["limit"] = 12
    for settings, steps in ((sft["sft"], 60), (dpo["dpo"], 5)):
        del settings["optimization"]["epochs"]
        settings["optimization"]["maxSteps"] = steps
        for unused in ("holdout", "evaluation"):
            del settings[unused]
    job["spec"]["compute"]["nodes"] = 1
    return job


def a_short_dpo_kd(teacher: Teacher) -> Object:
    """Return dpo-kd-online-tiny with the teacher of the cluster, in two pods: two rounds of few questions and few steps."""
    job: Object = json.loads(json.dumps(read_document(EXAMPLES / "dpo-kd-online-tiny.yaml")))
    settings = job["spec"]["stages"][0]["dpoDistillation"]
    settings["teacher"].update(_served_by(teacher), concurrency=32)
    # Sampled in two batches, one by each pod.
    settings["prompts"][0]["maxExamples"] = 264
    settings["roundJudge"]["endpoint"].update(_served_by(teacher), requestsPerMinute=VERDICTS_PER_MINUTE)
    settings["roundJudge"]["maximumQuestions"] = 24
    # A rate at which the student's answers change in two steps, so that the judge is asked.
    settings.update(rounds=2, optimization={"learningRate": 1e-3, "maxSteps": 2, "globalBatchSize": 16})
    del settings["evaluation"]
    return job


def _served_by(teacher: Teacher) -> Object:
    return {"baseUrl": teacher.base_url, "concurrency": AT_ONCE, "apiKeySecret": {"name": NAME, "key": KEY}}


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
    _check_the_table(workspace, job)
    _check_the_page(job)
    _check_the_export(workspace, job, status["stages"][5])


def _check_the_table(workspace: Workspace, job: Job) -> None:
    report = EvaluationReport.model_validate_json(workspace.read(f"{job.folder('table')}/{REPORT_FILE}") or "")
    assert [model.name for model in report.models] == ["sft", "dpo"]
    found = {(score.task, score.model): score.estimate for score in report.scores if score.is_main}
    # Against itself, each question is a tie.
    assert (found["duel", "sft"].value, found["duel", "sft"].count) == (0.5, 12)
    assert set(found) == {("duel", "sft"), ("duel", "dpo"), ("pairs", "sft"), ("pairs", "dpo")}


def _check_the_page(job: Job) -> None:
    dashboard = job.installation.kubectl.forwarded(f"{job.installation.name}-dashboard", 80)
    with dashboard as address, opened_browser(viewport={"width": 1440, "height": 900}, base_url=address) as visitor:
        page = visitor.new_page()
        page.set_default_timeout(60_000)
        open_settled(page, f"/run?job={job.read()['metadata']['uid']}&tab=Evaluation")
        tables(page).first.wait_for()


def _check_the_export(workspace: Workspace, job: Job, stage: Object) -> None:
    """Load the exported folder as strangers do, in another pod, from the place that the status names."""
    folder = str(stage["output"]).removeprefix("workspace://")
    assert folder.startswith(job.folder("int8"))
    assert workspace.say(_LOAD.format(folder=folder)).split()[-1] == "Linear8bitLt"


def test_a_pod_killed_in_a_round_pays_for_no_verdict_twice(start: StartJob, workspace: Workspace, teacher: Teacher) -> None:
    before = teacher.answered()
    job = start(a_short_dpo_kd(teacher))
    folder = job.folder("distill")
    verdicts = f"{folder}/rounds/2/verdicts/made.jsonl"
    wait_for("the second round has verdicts", lambda: len(_lines(workspace, verdicts)) >= 2, job.describe, 600)
    _kill_the_pod(job, "distill")
    known = len(_lines(workspace, verdicts))
    status = job.wait_for_end()
    assert teacher.restarts() == 0
    paid = {digest: times - before.get(digest, 0) for digest, times in teacher.answered().items()}
    rounds = json.loads(workspace.read(f"{folder}/manifest.json") or "{}")["rounds"]
    # Besides what was on its way at the kill and the tokens of the first calls, only what is no verdict is asked for again.
    no_verdicts = sum(rounds[1]["unjudged"].values())
    assert sum(times > 1 for times in paid.values()) <= AT_ONCE + len(("teacher", "judge")) + 2 * no_verdicts
    assert known < len(_lines(workspace, f"{folder}/judge-questions.jsonl")), "the round had ended before its pod was killed"
    assert [one["round"] for one in rounds] == [1, 2]
    assert all(one["pairs"] > 5 and one["winRate"]["count"] > 5 for one in rounds)
    shown = status["stages"][0]["progress"]["metrics"]
    assert (shown["round/number"], shown["round/win_rate"]) == (2, pytest.approx(rounds[1]["winRate"]["value"]))
    with tracking.client(job.installation) as mlflow:
        runs = {run.data.tags[STAGE_TAG]: run.data.metrics for run in tracking.stage_runs(job, mlflow)}
    logged = runs["distill"]
    assert (logged["round/number"], logged["round/win_rate"]) == (2, pytest.approx(rounds[1]["winRate"]["value"]))
    # Both pods have sampled the student, in each round.
    assert all(
        _lines(workspace, f"{folder}/rounds/{one}/student/process-{process}.jsonl") for one in (1, 2) for process in (0, 1)
    )


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


def _rows(workspace: Workspace, job: Job, stage: str) -> list[Object]:
    lines = _lines(workspace, f"{job.folder(stage)}/rows/part-00000.jsonl")
    assert lines, f"{stage} has written no rows"
    return [json.loads(line) for line in lines]


def _lines(workspace: Workspace, path: str) -> list[str]:
    return (workspace.read(path) or "").splitlines()
