"""The page of a run whose teacher answers, in a real browser: what was asked, the panels of rows, and some of the rows."""

import json
import re
from datetime import UTC, datetime

from alignment_api import metrics
from alignment_api.home import Home
from alignment_api.metrics import unanswered_of
from compared_jobs import distill, job, sft
from mlflow import MlflowClient
from playwright.sync_api import Page, expect
from settled_pages import charts, keep_picture, open_settled

COUNTS = {metrics.ROWS_WRITTEN: 90.0, metrics.ROWS_LEFT_OUT: 10.0, metrics.REQUESTS: 130.0, metrics.UNANSWERED: 7.0}
PROGRESS = {"step": 100, "totalSteps": 400, "percent": 25, "updatedTime": datetime.now(UTC).isoformat(), "metrics": COUNTS}
STATUS = {"phase": "Running", "stages": [{"name": "distill", "state": "Running", "attempts": 1, "progress": PROGRESS}]}


def write_asking_run(home: Home) -> None:
    """Write a run that asks, with its points and samples, as the trainer does."""
    document = job("asking", distill(), sft(), status=STATUS | {"currentStage": "distill"}, namespace="default").dump()
    folder = home.job_folder("default", "asking")
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps(document))
    client = MlflowClient(home.tracking_uri)
    parent = client.create_run("1", tags={metrics.JOB_UID_TAG: "uid-asking"}).info.run_id
    tags = {metrics.PARENT_TAG: parent, metrics.STAGE_TAG: "distill", metrics.KIND_TAG: "distill"}
    run = client.create_run("1", tags={metrics.JOB_UID_TAG: "uid-asking", **tags}).info
    for step in (50, 100):
        for name, value in (COUNTS | {unanswered_of("Timeout"): 7.0}).items():
            client.log_metric(run.run_id, name, value * step / 100, step=step)
    row = {"step": 100, "key": "k", "prompt": "Why is the sea salt?", "policy": "Rivers carry salt into it."}
    client.log_dict(run.run_id, [row], "samples/step-100.json")


def test_what_a_teacher_was_asked_can_be_watched(page: Page, seeded: Home) -> None:
    write_asking_run(seeded)
    open_settled(page, "/run?job=uid-asking")
    expect(page.get_by_text(re.compile(r"10 % left out.*130 requests.*7 unanswered \(7 timeout\)"))).to_be_visible()
    expect(charts(page).first).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("Rows: written 90 at step 100; left out 10"))).to_be_visible()
    keep_picture(page, "run-asking")
    page.get_by_role("tab", name="Samples").click()
    expect(page.get_by_text("Rivers carry salt into it.")).to_be_visible()
