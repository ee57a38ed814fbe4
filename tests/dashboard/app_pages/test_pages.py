"""The pages as a visitor gets them, run by Streamlit's own test harness."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from alignment_api.home import Home
from alignment_api.metrics import LOSS, REWARD_MARGIN
from alignment_api.spec.job import AlignmentJob
from alignment_dashboard import cache
from alignment_dashboard.pictures.panels import PANELS
from opened_pages import chips, page, page_at, shown_names, words
from streamlit.testing.v1 import AppTest

JobWriter = Callable[..., AlignmentJob]
RunLogger = Callable[..., str]
NOW = datetime.now(UTC)
RUNNING = {
    "phase": "Running",
    "message": "Stage dpo trains.",
    "currentStage": "dpo",
    "progress": "81%",
    "startTime": (NOW - timedelta(hours=1)).isoformat(),
    "stages": [
        {"name": "sft", "state": "Succeeded", "attempts": 1},
        {
            "name": "dpo",
            "state": "Running",
            "attempts": 2,
            "startTime": (NOW - timedelta(minutes=9)).isoformat(),
            "progress": {
                "step": 62,
                "totalSteps": 100,
                "percent": 62,
                "updatedTime": NOW.isoformat(),
                "metrics": {LOSS: 0.41, REWARD_MARGIN: 1.25},
            },
        },
    ],
}
WORDS = "line 17: <b>chosen</b> is [missing](http://a), see http://b"
FAILED = {
    "phase": "Failed",
    "reason": "BadData",
    "message": WORDS,
    "currentStage": "sft",
}
SUCCEEDED = {"phase": "Succeeded", "progress": "100%", "currentStage": "dpo"}


def charts(app: AppTest) -> int:
    """Count the charts of a page."""
    return len(app.get("echarts_chart"))


@pytest.mark.parametrize("folder_exists", [False, True])
def test_an_empty_home_says_what_to_do_next(home: Home, folder_exists: bool) -> None:
    if folder_exists:
        home.objects.mkdir(parents=True)
    app = page()
    assert [code.value for code in app.code] == ["alignment run examples/tiny.yaml"]
    assert str(home.objects) in words(app)
    assert home.root.exists() == folder_exists


def test_the_list_shows_active_jobs_first_with_stage_status_and_progress(write_job: JobWriter) -> None:
    write_job("a-done", SUCCEEDED)
    write_job("b-failed", FAILED)
    write_job("c-running", RUNNING)
    app = page()
    table = app.dataframe[0].value
    assert shown_names(app) == ["c-running", "a-done", "b-failed"]
    row = table.iloc[0]
    assert list(row["status"]) == ["▶ Running"]
    assert (row["stages"], row["progress"], row["loss"], row["train.margin"]) == ("✓ sft  →  ▶ dpo 62%", 81, 0.41, 1.25)
    assert {kind: str(table[kind].dtype) for kind in ("progress", "loss", "started")} == {
        "progress": "Int64",
        "loss": "float64",
        "started": "datetime64[ms, UTC]",
    }
    assert chips(app) == ["1 running", "0 waiting", "1 need attention", "1 succeeded", "1 failed"]


def test_what_needs_attention_is_plain_text(write_job: JobWriter) -> None:
    write_job("b-failed", FAILED)
    app = page()
    assert f"bad data: {WORDS}  →  correct the data, then change the spec, or suspend and resume" in [
        text.value for text in app.text
    ]
    assert "http" not in " ".join(str(element.value) for element in app.markdown)


def test_a_list_that_cannot_be_made_is_no_empty_list(write_job: JobWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise TypeError("a fault of the dashboard")

    write_job("good", RUNNING)
    monkeypatch.setattr(cache, "see", fail)
    app = page()
    assert "a fault of the dashboard" in words(app)
    assert "No jobs yet" not in words(app) and not app.code


def test_an_address_that_names_no_group_and_no_column_is_the_usual_list(write_job: JobWriter) -> None:
    write_job("one", RUNNING)
    app = page_at("app_pages/runs.py", group="bogus", sort="bogus")
    assert shown_names(app) == ["one"] and "n" not in app.dataframe[0].value
    assert {box.label: box.value for box in app.selectbox} == {"Average over seeds": "", "Sort by": ""}


def test_a_broken_file_is_one_message_beside_the_jobs(home: Home, write_job: JobWriter) -> None:
    write_job("good", RUNNING)
    (home.objects / "default" / "odd").mkdir()
    (home.objects / "default" / "odd" / "job.json").write_text('{"kind": ')
    app = page()
    assert len(app.dataframe[0].value) == 1
    assert len([text for text in app.text if "not complete JSON" in text.value]) == 1


def test_a_running_job_without_mlflow_shows_all_but_its_curves(home: Home, write_job: JobWriter) -> None:
    write_job("one", RUNNING)
    app = page("uid-one")
    assert app.title[0].value == "one"
    shown = {metric.label: metric.value for metric in app.metric}
    # The suite may have run for a while since the times were made.
    assert shown["Progress"] == "81%" and shown["Running for"].startswith("1h")
    assert "2 attempts" in words(app)
    assert "62 of 100 steps" in words(app)
    assert "the first stage that trains creates it" in words(app)
    assert charts(app) == 0
    assert not (home.root / "mlflow.db").exists()


def test_a_running_job_draws_the_stage_under_way(write_job: JobWriter, log_run: RunLogger) -> None:
    write_job("one", RUNNING)
    log_run("uid-one", "dpo", {LOSS: [(1, 0.7), (2, 0.6)], REWARD_MARGIN: [(1, 0.0), (2, 0.3)]})
    app = page("uid-one")
    assert charts(app) == 1


def test_another_stage_can_be_chosen(write_job: JobWriter, log_run: RunLogger) -> None:
    write_job("one", RUNNING)
    log_run("uid-one", "sft", {LOSS: [(1, 2.5)]})
    app = page("uid-one")
    assert charts(app) == 0
    app.button_group[0].set_value("sft").run()
    assert not app.exception
    assert charts(app) == 1


@pytest.mark.parametrize(
    ("without", "offered"),
    [
        ((), ["sft", "dpo"]),
        (("dpo",), ["sft"]),
        (("sft", "dpo"), []),
    ],
)
def test_a_kind_without_charts_breaks_nothing(
    write_job: JobWriter, log_run: RunLogger, monkeypatch: pytest.MonkeyPatch, without: tuple[str, ...], offered: list[str]
) -> None:
    for kind in without:
        monkeypatch.delitem(PANELS, kind)
    write_job("one", RUNNING)
    for stage in ("sft", "dpo"):
        log_run("uid-one", stage, {LOSS: [(1, 2.5)]})
    app = page("uid-one")
    assert [option for choice in app.button_group if choice.label == "Stage" for option in choice.options] == offered
    assert charts(app) == bool(offered)
    assert ("None of this run's stages has curves." in words(app)) == (not offered)


def test_a_failed_job_says_why_without_markup(write_job: JobWriter) -> None:
    write_job("one", FAILED)
    app = page("uid-one")
    assert WORDS in [text.value for text in app.text]
    assert "http" not in " ".join(str(element.value) for element in app.markdown)


def test_warnings_are_listed_as_plain_text(write_job: JobWriter) -> None:
    sft, dpo = RUNNING["stages"]
    write_job("one", RUNNING)
    assert not [one for one in page("uid-one").expander if "warning" in one.label]
    write_job("two", {**RUNNING, "warnings": ["spec.a: b"], "stages": [{**sft, "warnings": [WORDS, "spec.c: d"]}, dpo]})
    app = page("uid-two")
    shown = [text.value for text in app.text]
    assert [text for text in shown if text in ("spec.a: b", WORDS, "spec.c: d")] == ["spec.a: b", WORDS, "spec.c: d"]
    assert "http" not in " ".join(str(element.value) for element in app.markdown)


def test_a_job_that_has_no_status_yet(write_job: JobWriter) -> None:
    write_job("one")
    app = page("uid-one")
    assert "not started" in words(app)


def test_a_job_from_a_recipe_alone(write_job: JobWriter) -> None:
    write_job("one", {"phase": "Pending"}, stages=None, recipe="zephyr-paper")
    assert page("uid-one").title[0].value == "one"


def test_a_job_whose_file_is_damaged_is_not_called_deleted(home: Home, write_job: JobWriter) -> None:
    write_job("one")
    (home.objects / "default" / "one" / "job.json").write_bytes(b"\xff")
    said = words(page("uid-one"))
    assert "No run that can be read has the id uid-one" in said and "not complete JSON" in said
    assert "deleted" not in said


@pytest.mark.parametrize("identity", ["", "uid-gone", "<script>"])
def test_a_job_that_is_not_here(write_job: JobWriter, identity: str) -> None:
    write_job("one")
    app = page(identity)
    assert [title.value for title in app.title] in (["No run chosen"], ["Run not found"])
