"""The comparison is drawn again when what it shows has changed, and only then."""

import math
from collections.abc import Callable

import pytest
from alignment_api.home import Home
from alignment_api.metrics import EVALUATION_LOSS, LOSS
from alignment_api.spec.job import AlignmentJob
from alignment_dashboard import cache
from alignment_dashboard.facts.comparison.choice import choose
from alignment_dashboard.pieces import overlaid_curves, reached
from mlflow import MlflowClient

JobWriter = Callable[..., AlignmentJob]
RunLogger = Callable[..., str]
STATUS = {"phase": "Running", "stages": [{"name": "sft", "state": "Running", "attempts": 1}]}


def drawn_from() -> tuple[object, object]:
    """Read everything anew, and return what the curves and the results are drawn from."""
    cache.clear()
    comparison = choose(cache.listing(), ["uid-a", "uid-b"], None)
    return overlaid_curves.moment(comparison, "sft", ()), reached.moment(comparison.jobs, "sft")


@pytest.fixture
def two(write_job: JobWriter, log_run: RunLogger) -> None:
    """Write two runs that train; the loss of one is NaN."""
    for name, loss in (("a", 2.0), ("b", math.nan)):
        write_job(name, STATUS)
        log_run(f"uid-{name}", "sft", {LOSS: [(1, loss)], EVALUATION_LOSS: [(1, loss)]})


@pytest.mark.usefixtures("two")
def test_as_long_as_nothing_is_logged_nothing_changes() -> None:
    assert drawn_from() == drawn_from()


@pytest.mark.usefixtures("two")
def test_a_status_without_other_results_changes_nothing(write_job: JobWriter) -> None:
    before = drawn_from()
    write_job("a", {**STATUS, "eta": "5m"})
    assert drawn_from() == before


@pytest.mark.usefixtures("two")
def test_a_new_point_changes_curves_and_results(home: Home) -> None:
    before, run = drawn_from(), cache.runs("uid-a").value["sft"]
    MlflowClient(home.tracking_uri).log_metric(run.run_id, LOSS, 1.5, step=2)
    assert all(now != then for now, then in zip(drawn_from(), before, strict=True))


@pytest.mark.usefixtures("two")
def test_hidden_runs_are_not_looked_at() -> None:
    comparison = choose(cache.listing(), ["uid-a", "uid-b"], None)
    assert overlaid_curves.moment(comparison, "sft", ("uid-a", "uid-b")) == []
