"""A job as a row of typed values."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alignment_api.metrics import EVALUATION_REWARD_MARGIN, LOSS, REWARD_MARGIN, of_stage
from alignment_api.spec.job import AlignmentJob
from alignment_dashboard.data.listing import Guidance, Listing
from alignment_dashboard.facts.run_list.overview import Overview, Seen, overview, see
from alignment_dashboard.facts.run_list.row import newest_first, row_of
from alignment_dashboard.store.stored_run import StoredRun
from list_rows import a_row

SPEC = {"model": {"uri": "workspace://model"}, "stages": [{"name": "sft", "sft": {}}, {"name": "dpo", "dpo": {}}]}
STARTED = datetime(2026, 1, 2, 12, tzinfo=UTC)
GUIDANCE = Guidance("", "", "", "", "", None, lambda job, stage: "")


def made(status: dict[str, Any] | None = None, name: str = "one") -> AlignmentJob:
    """Make a job of two stages."""
    document = {
        "apiVersion": "alignment-operator.dev/v1alpha1",
        "kind": "AlignmentJob",
        "metadata": {"name": name, "uid": f"uid-{name}", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": SPEC,
    }
    return AlignmentJob.parse(document | ({"status": status} if status else {}))


def stage(name: str, state: str, **metrics: float) -> dict[str, Any]:
    """Make a stage that has measured something."""
    progress = {"step": 1, "totalSteps": 2, "percent": 50, "updatedTime": STARTED.isoformat(), "metrics": metrics}
    return {"name": name, "state": state, "progress": progress}


def stored(**latest: float) -> StoredRun:
    """Make the run of a whole job."""
    return StoredRun("run", "0", "uid-one", None, None, "RUNNING", None, None, "", {}, latest)


def test_a_job_without_a_status_is_a_row() -> None:
    row = row_of(made(), None)
    assert (row.identity, row.name, row.phase, row.stages) == ("uid-one", "one", "Pending", "○ sft  →  ○ dpo")
    assert (row.percent, row.ends, row.gpu_hours, row.charted, row.metrics) == (None, None, None, None, {})
    assert (row.model, row.created, row.started) == ("workspace://model", datetime(2026, 1, 1, tzinfo=UTC), None)
    assert row.parameters["dpo.beta"] == 0.1


def test_times_and_hours_are_typed() -> None:
    status = {
        "phase": "Running",
        "startTime": STARTED.isoformat(),
        "estimatedCompletionTime": STARTED.isoformat(),
        "gpuSeconds": 5400,
        "progress": "62%",
        "stages": [stage("sft", "Running")],
    }
    row = row_of(made(status), None)
    assert (row.started, row.ends, row.gpu_hours, row.percent, row.charted) == (STARTED, STARTED, 1.5, 62, "sft")
    assert row_of(made(status | {"phase": "Failed"}), None).ends is None


DONE = stage("sft", "Succeeded", **{LOSS: 1.5})
SFT, DPO, NAN = of_stage("sft", LOSS), of_stage("dpo", LOSS), float("nan")


@pytest.mark.parametrize(
    ("situation", "phase", "stages", "latest", "metrics"),
    [
        ("only the status", "Running", [stage("dpo", "Running", **{REWARD_MARGIN: 1.0})], {}, {"train.margin": 1.0}),
        ("only MLflow", "Succeeded", [], {SFT: 2.0, DPO: 0.5}, {"loss": 0.5}),
        ("the status is newer while it runs", "Running", [stage("dpo", "Running", **{LOSS: 0.4})], {DPO: 0.5}, {"loss": 0.4}),
        ("MLflow has the last word", "Succeeded", [stage("dpo", "Succeeded", **{LOSS: 0.4})], {DPO: 0.3}, {"loss": 0.3}),
        ("NaN stays NaN", "Failed", [], {DPO: float("nan")}, {"loss": math.nan}),
        ("NaN is not in the status", "Running", [DONE, stage("dpo", "Running")], {DPO: float("nan")}, {"loss": math.nan}),
        ("another stage has begun", "Running", [DONE, stage("dpo", "Running")], {SFT: 2.0}, {}),
        ("another stage waits", "Running", [DONE, stage("dpo", "Pending")], {SFT: 2.0}, {"loss": 1.5}),
        ("an evaluation", "Succeeded", [], {of_stage("dpo", EVALUATION_REWARD_MARGIN): 1.5}, {"eval.margin": 1.5}),
    ],
)
def test_metrics(
    situation: str, phase: str, stages: list[dict[str, Any]], latest: dict[str, float], metrics: dict[str, float]
) -> None:
    row = row_of(made({"phase": phase, **({"stages": stages} if stages else {})}), stored(**latest))
    assert row.metrics == metrics, situation


def test_a_list_opens_with_what_runs_and_then_the_newest() -> None:
    rows = [
        a_row("old", started=datetime(2026, 1, 1, tzinfo=UTC)),
        a_row("new", started=datetime(2026, 1, 3, tzinfo=UTC)),
        a_row("waits", phase="Queued", started=None, created=datetime(2026, 1, 2, tzinfo=UTC)),
        a_row("unknown", started=None, created=None),
        a_row("runs", phase="Running", started=datetime(2026, 1, 1, tzinfo=UTC)),
    ]
    assert [row.name for row in sorted(rows, key=newest_first)] == ["waits", "runs", "new", "old", "unknown"]


def looked_at(listing: Listing, runs: dict[str, StoredRun], now: datetime, seen: dict[str, Seen]) -> Overview:
    see(listing, runs, now, seen)
    return overview(listing, now, seen, {})


@pytest.mark.parametrize(("seconds", "shown"), [(-1, True), (0, False), (60, False)])
def test_an_estimate_that_is_over_is_not_the_end_of_a_run(seconds: int, shown: bool) -> None:
    job = made({"phase": "Running", "estimatedCompletionTime": STARTED.isoformat(), "stages": [stage("sft", "Running")]})
    (row,) = looked_at(Listing((job,), (), GUIDANCE), {}, STARTED + timedelta(seconds=seconds), {}).rows
    assert row.ends == (STARTED if shown else None)


def test_what_has_not_changed_is_made_once() -> None:
    seen: dict[str, Seen] = {}
    first, second = made(name="first"), made(name="second")
    before = looked_at(Listing((first, second), (), GUIDANCE), {"uid-first": stored(**{DPO: NAN})}, STARTED, seen)
    changed = made({"phase": "Failed"}, "second")
    after = looked_at(Listing((first, changed), (), GUIDANCE), {"uid-first": stored(**{DPO: NAN})}, STARTED, seen)
    assert {row.name: row.phase for row in after.rows} == {"first": "Pending", "second": "Failed"}
    assert next(row for row in after.rows if row.name == "first") == next(row for row in before.rows if row.name == "first")
    assert list(after.attention) == ["uid-second"]
    assert set(seen) == {"uid-first", "uid-second"}
    gone = looked_at(Listing((changed,), (), GUIDANCE), {}, STARTED, seen)
    assert (len(gone.rows), set(seen)) == (1, {"uid-second"})


@pytest.mark.parametrize(
    ("phase", "loss", "message"),
    [
        ("Running", float("nan"), "The loss of stage dpo is NaN."),
        ("Running", float("inf"), "The loss of stage dpo is infinite."),
        ("Running", 0.5, None),
        ("Suspended", float("nan"), None),
    ],
)
def test_a_running_job_whose_loss_is_no_number_needs_attention(phase: str, loss: float, message: str | None) -> None:
    job = made({"phase": phase, "stages": [DONE, stage("dpo", "Running")]})
    found = looked_at(Listing((job,), (), GUIDANCE), {"uid-one": stored(**{DPO: loss})}, STARTED, {}).attention.get("uid-one")
    assert (found.message if found else None) == message


def test_only_a_stage_that_has_begun_has_a_curve() -> None:
    seen: dict[str, Seen] = {}
    begun = made({"phase": "Running", "stages": [DONE, stage("dpo", "Running")]}, "begun")
    targets = see(Listing((begun, made(name="new")), (), GUIDANCE), {}, STARTED, seen)
    assert [(target.job_uid, target.stage, target.has_ended) for target in targets] == [("uid-begun", "dpo", False)]


def test_why_an_ended_job_failed_is_said_as_long_as_it_does_not_change() -> None:
    seen: dict[str, Seen] = {}
    failed = Listing((made({"phase": "Failed", "reason": "BadData", "message": "a row is empty"}),), (), GUIDANCE)
    for later in (0, 10_000):
        found = looked_at(failed, {}, STARTED + timedelta(seconds=later), seen)
        assert [why.message for why in found.attention.values()] == ["a row is empty"]
