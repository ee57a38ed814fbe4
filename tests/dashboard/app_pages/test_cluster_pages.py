"""The pages of a cluster's jobs, in every state of the API server."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alignment_dashboard.data.jobs import read_jobs
from alignment_dashboard.data.listing import Listing
from opened_pages import page, shown_names, words

Server = Any
NOW = datetime.now(UTC)
LONG_AGO = (NOW - timedelta(hours=2)).isoformat()
SILENT = {
    "phase": "Running",
    "reason": "Training",
    "message": "sft is running",
    "currentStage": "sft",
    "observedGeneration": 1,
    "startTime": LONG_AGO,
    "conditions": [
        {
            "type": "Progressing",
            "status": "True",
            "reason": "Training",
            "message": "sft is running",
            "lastTransitionTime": LONG_AGO,
        }
    ],
    "stages": [{"name": "sft", "state": "Running", "attempts": 3, "child": "one-sft-3", "startTime": LONG_AGO}],
}
WAITING = {
    "phase": "Pending",
    "reason": "Evicted",
    "message": "sft: its node is gone",
    "observedGeneration": 0,
    "stages": [
        {
            "name": "sft",
            "state": "Restarting",
            "reason": "Evicted",
            "message": "its node is gone",
            "retryTime": (NOW + timedelta(hours=1, minutes=1)).isoformat(),
        }
    ],
}


def until(holds: Callable[[Listing], object]) -> Listing:
    """Wait until a condition on the listing holds."""
    for _ in range(600):
        listing = read_jobs()
        if holds(listing):
            return listing
        time.sleep(0.05)
    raise AssertionError(f"the condition never held; the listing is {listing}")


@pytest.mark.parametrize(
    ("namespaces", "where", "command"),
    [
        ("", "all namespaces", "kubectl apply --namespace default --filename examples/tiny.yaml"),
        ('["team"]', "namespace team", "kubectl apply --namespace team --filename examples/tiny.yaml"),
        ('["team", "lab"]', "namespaces team, lab", "kubectl apply --namespace team --filename examples/tiny.yaml"),
    ],
)
def test_an_empty_cluster_says_what_to_do_next(
    api_server: Server, monkeypatch: pytest.MonkeyPatch, namespaces: str, where: str, command: str
) -> None:
    monkeypatch.setenv("ALIGNMENT_NAMESPACES", namespaces)
    app = page()
    assert app.title[0].value == f"No AlignmentJobs in {where}"
    assert [code.value for code in app.code] == [command]
    assert "alignment run" not in words(app)


def test_the_list_shows_the_jobs_of_the_named_namespaces(api_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALIGNMENT_NAMESPACES", '["team", "lab"]')
    for name, namespace in (("one", "team"), ("two", "lab"), ("three", "other")):
        api_server.put(name, namespace, status=WAITING)
    app = page()
    table = app.dataframe[0].value
    assert sorted(zip(table["namespace"], shown_names(app), strict=True)) == [("lab", "two"), ("team", "one")]


def test_a_silent_job_and_an_unseen_one(api_server: Server) -> None:
    api_server.put("one", status=SILENT)
    api_server.put("two")
    text = words(page())
    logs = "kubectl logs --namespace team --selector alignment-operator.dev/job=one,alignment-operator.dev/stage=sft --tail 50"
    assert logs in text
    assert (
        "unseen: The operator has not written a status for this job yet  →  check that the operator runs, and read its logs"
        in text
    )
    assert "alignment run" not in text


def test_a_job_shows_what_kubernetes_says_of_it(api_server: Server) -> None:
    api_server.put("one", status=SILENT)
    app = page("uid-one")
    assert "Stage sft has reported no progress for 2h" in words(app)
    # The suite may have run for a while since the times were made.
    assert re.search(r"2h(\d+m)?  ·  3 attempts", words(app))
    assert "Set MLFLOW_TRACKING_URI" in words(app)


def test_a_job_that_waits_says_why_and_until_when(api_server: Server) -> None:
    api_server.put("one", status=WAITING)
    text = words(page("uid-one"))
    assert "Evicted" in text and "its node is gone" in text
    assert re.search(r"next attempt in (1h|\d+m)", text)
    assert "has not acted on the last change" in text


def test_an_api_server_out_of_reach_is_one_sentence_over_the_last_good_data(
    api_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALIGNMENT_NAMESPACES", '["team", "lab"]')
    api_server.put("one", status=SILENT)
    assert len(page().dataframe[0].value) == 1
    api_server.stop()
    until(lambda listing: listing.failures)
    for app in (page(), page("uid-one")):
        notices = [text.value for text in app.text if "does not answer" in text.value]
        assert len(notices) == 1
        assert f"The page shows the state of {NOW.year}-" in notices[0]
    assert shown_names(page()) == ["one"]
    gone = page("uid-other")
    assert "as soon as the jobs can be read" in words(gone)
    assert not gone.title
    api_server.start()
    until(lambda listing: not listing.failures)
    assert "does not answer" not in words(page())


def test_an_api_server_that_never_answered(api_server: Server) -> None:
    api_server.stop()
    app = page()
    assert "The dashboard has read no jobs from the cluster yet." in words(app)
    assert not app.code
    api_server.start()


def test_a_cluster_without_alignment_jobs_gets_the_helm_command(api_server: Server) -> None:
    api_server.refuse("list", 404, b"404 page not found")
    app = page()
    assert [code.value.split()[:2] for code in app.code] == [["helm", "install"]]


def test_a_namespace_that_is_forbidden_hides_no_other(api_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    api_server.put("one", status=SILENT)
    api_server.forbidden = "lab"
    monkeypatch.setenv("ALIGNMENT_NAMESPACES", '["team", "lab"]')
    app = page()
    assert "lacks the verb list on alignmentjobs.alignment-operator.dev in namespace lab" in words(app)
    assert shown_names(app) == ["one"]


def test_unreadable_jobs_are_one_message(api_server: Server) -> None:
    for number in range(5):
        api_server.put(f"odd-{number}", model={"uri": number})
    app = page()
    notices = [text.value for text in app.text if "team/odd-0 is not an AlignmentJob" in text.value]
    assert len(notices) == 1
    assert "and 2 more" in notices[0]


@pytest.mark.parametrize("identity", ["", "uid-gone"])
def test_a_job_that_is_not_here(api_server: Server, identity: str) -> None:
    app = page(identity)
    assert app.title[0].value in ("No run chosen", "Run not found")
    assert "ALIGNMENT_HOME" not in words(app)
