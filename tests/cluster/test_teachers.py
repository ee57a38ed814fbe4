"""From questions to an aligned model with a teacher and a judge in the cluster; killed pods pay for no answer twice."""

import json

import pytest
from alignment_api.metrics import STAGE_TAG
from alignment_api.names import REPORT_FILE
from alignment_api.results.evaluation import EvaluationReport
from chromium import opened_browser
from cluster import tracking
from cluster.installation import Installation
from cluster.interruptions import AT_ONCE, Interrupted, Interruptions
from cluster.kubectl import Object
from settled_pages import open_settled, tables

_MODELS = ("teacher", "student", "apprentice", "judge")
_LOAD = """
from transformers import AutoModelForCausalLM
model = AutoModelForCausalLM.from_pretrained("/workspace/{folder}")
print(type(model.model.layers[0].mlp.down_proj).__name__)
"""


@pytest.fixture(scope="module")
def zephyr(interrupted: Interruptions) -> Interrupted:
    return interrupted.zephyr


def test_killed_pods_pay_for_no_answer_twice(zephyr: Interrupted) -> None:
    assert zephyr.restarts == 0
    stages = zephyr.status["stages"]
    assert stages[1]["attempts"] == stages[3]["attempts"] == 1
    # What was on its way at a kill may have been paid for without an answer: at most so much of each model. Besides, each attempt
    # asks each model for one token.
    repeated = [digest for digest, times in zephyr.paid.items() if times > 1]
    assert len(repeated) <= AT_ONCE + len(_MODELS) * AT_ONCE + len(_MODELS)


def test_the_rows_name_their_teacher_and_nothing_its_key(zephyr: Interrupted) -> None:
    rows = _rows(zephyr, "distill")
    assert len(rows) > 150
    assert {row["provenance"]["teacher"]["model"] for row in rows} == {"teacher"}
    assert len(_rows(zephyr, "feedback")) > 10
    key = zephyr.teacher.key
    assert key not in zephyr.job.kubectl("get", "configmaps,pods,pytorchjobs,alignmentjobs", "--output", "json")
    assert key not in "\n".join(zephyr.lines("distill", "asked.jsonl"))


def test_its_table_compares_both_models(zephyr: Interrupted) -> None:
    report = EvaluationReport.model_validate_json("\n".join(zephyr.lines("table", REPORT_FILE)))
    assert [model.name for model in report.models] == ["sft", "dpo"]
    found = {(score.task, score.model): score.estimate for score in report.scores if score.is_main}
    # Against itself, each question is a tie.
    assert (found["duel", "sft"].value, found["duel", "sft"].count) == (0.5, 12)
    assert set(found) == {("duel", "sft"), ("duel", "dpo"), ("pairs", "sft"), ("pairs", "dpo")}


def test_its_page_shows_the_table(zephyr: Interrupted) -> None:
    installation = zephyr.job.installation
    dashboard = installation.kubectl.forwarded(f"{installation.name}-dashboard", 80)
    with dashboard as address, opened_browser(viewport={"width": 1440, "height": 900}, base_url=address) as visitor:
        page = visitor.new_page()
        page.set_default_timeout(60_000)
        open_settled(page, f"/run?job={zephyr.job.read()['metadata']['uid']}&tab=Evaluation")
        tables(page).first.wait_for()


def test_its_export_is_loaded_as_strangers_do(zephyr: Interrupted) -> None:
    """Load the exported folder in another pod, from the place that the status names."""
    folder = str(zephyr.status["stages"][5]["output"]).removeprefix("workspace://")
    assert folder.startswith(zephyr.job.folder("int8"))
    assert zephyr.workspace.say(_LOAD.format(folder=folder)).split()[-1] == "Linear8bitLt"


def test_a_pod_killed_in_a_round_pays_for_no_verdict_twice(interrupted: Interruptions) -> None:
    job = interrupted.rounds
    assert job.restarts == 0
    rounds = _rounds(job)
    # Besides what was on its way at the kill and the tokens of the first calls, only what is no verdict is asked for again.
    no_verdicts = sum(rounds[1]["unjudged"].values())
    assert sum(times > 1 for times in job.paid.values()) <= AT_ONCE + len(("teacher", "judge")) + 2 * no_verdicts
    asked = len(job.lines("distill", "judge-questions.jsonl"))
    assert interrupted.verdicts_at_kill < asked, "the round had ended before its pod was killed"


def test_each_round_has_pairs_a_win_rate_and_answers_of_both_pods(interrupted: Interruptions, installation: Installation) -> None:
    job = interrupted.rounds
    rounds = _rounds(job)
    assert [one["round"] for one in rounds] == [1, 2]
    assert all(one["pairs"] > 5 and one["winRate"]["count"] > 5 for one in rounds)
    assert all(job.lines("distill", f"rounds/{one}/student/process-{process}.jsonl") for one in (1, 2) for process in (0, 1))
    reached = (2, pytest.approx(rounds[1]["winRate"]["value"]))
    shown = job.status["stages"][0]["progress"]["metrics"]
    assert (shown["round/number"], shown["round/win_rate"]) == reached
    with tracking.client(installation) as mlflow:
        runs = {run.data.tags[STAGE_TAG]: run.data.metrics for run in tracking.stage_runs(job.job, mlflow)}
    logged = runs["distill"]
    assert (logged["round/number"], logged["round/win_rate"]) == reached


def _rounds(job: Interrupted) -> list[Object]:
    """Return what the manifest says of each round."""
    rounds: list[Object] = json.loads("\n".join(job.lines("distill", "manifest.json")) or "{}")["rounds"]
    return rounds


def _rows(job: Interrupted, stage: str) -> list[Object]:
    lines = job.lines(stage, "rows/part-00000.jsonl")
    assert lines, f"{stage} has written no rows"
    return [json.loads(line) for line in lines]
