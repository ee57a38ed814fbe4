"""The tabs, checks and addresses of the page of one run."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from alignment_api.home import Home
from alignment_api.metrics import EVALUATION_LOSS, LOSS, REWARD_MARGIN
from alignment_api.names import stage_folder
from alignment_api.spec.job import AlignmentJob
from alignment_dashboard import cache
from alignment_dashboard.cache import Known
from branching_jobs import BRANCHES
from branching_jobs import trained as trained_stage
from opened_pages import page, words
from streamlit.testing.v1 import AppTest

JobWriter = Callable[..., AlignmentJob]
RunLogger = Callable[..., str]
LONG = "rank 3 of 8 ran out of memory at step 17: <b>CUDA</b> tried to allocate 2.5 GiB; " * 50
TRAINING = {
    "phase": "Running",
    "reason": "Training",
    "currentStage": "dpo",
    "stages": [{"name": "sft", "state": "Succeeded", "attempts": 1}, {"name": "dpo", "state": "Running", "attempts": 2}],
}
CURVE = [(step, 0.7 - step / 1000) for step in range(1, 101)]


def opened(**parameters: str) -> AppTest:
    """Open the page of the run `one` with more parameters in its address."""
    return page("uid-one", **parameters)


def charts(app: AppTest) -> list[Any]:
    return list(app.get("echarts_chart"))


@pytest.fixture
def trained(write_job: JobWriter, log_run: RunLogger) -> None:
    """A run whose stages have curves; the loss of dpo has a spike."""
    write_job("one", TRAINING)
    log_run("uid-one", "sft", {LOSS: CURVE, EVALUATION_LOSS: CURVE[::50]})
    log_run("uid-one", "dpo", {LOSS: [(step, 20.0 if step == 60 else value) for step, value in CURVE], REWARD_MARGIN: CURVE})


def test_the_checks_say_where_what_and_what_to_do(trained: None) -> None:
    (line,) = [text.value.replace("\\", "") for text in opened().markdown if "Spike" in text.value]
    assert "dpo step 60" in line and "look at the rows of that step" in line


@pytest.mark.parametrize(
    ("parameters", "stage", "smoothing", "axis", "log"),
    [
        ({}, "dpo", 0.8, "step", False),
        ({"stage": "sft", "smoothing": "0.95", "axis": "time", "log": "true"}, "sft", 0.95, "time", True),
        ({"stage": "made_up", "smoothing": "7", "axis": "<b>", "zoom": "x"}, "dpo", 0.8, "step", False),
    ],
)
def test_the_address_says_what_is_drawn_and_how(
    trained: None, parameters: dict[str, str], stage: str, smoothing: float, axis: str, log: bool
) -> None:
    app = opened(**parameters)
    assert [choice.value for choice in app.button_group] == [stage, axis]
    assert app.select_slider[0].value == smoothing
    assert app.toggle(key="log").value == log
    assert len(charts(app)) == 1


SIDE_BY_SIDE = {
    "phase": "Running",
    "reason": "Training",
    "message": "dpo-b is running; dpo-a: line 3: no answer",
    "currentStage": "raw, dpo-b",
    "stages": [
        {"name": "sft", "state": "Succeeded", "attempts": 1},
        {"name": "dpo-a", "state": "Failed", "attempts": 1, "reason": "BadData", "message": "line 3: no answer"},
        {"name": "dpo-b", "state": "Running", "attempts": 1},
        {"name": "raw", "state": "Queued", "attempts": 1},
        {"name": "last", "state": "Waiting", "reason": "BuildsOnFailedStage", "message": "it builds on dpo-a, which failed"},
    ],
}


def test_a_run_with_branches_shows_what_each_stage_builds_on_and_opens_with_one_that_runs(write_job: JobWriter) -> None:
    write_job("one", SIDE_BY_SIDE, stages=[*BRANCHES, trained_stage("last", "dpo-a")])
    app = opened()
    boxes = [caption.value.replace("\\", "") for caption in app.caption if "builds on" in caption.value]
    assert [box.split("  ·  ")[0] for box in boxes] == [
        "builds on no stage",
        "builds on sft",
        "builds on sft",
        "builds on no stage",
        "builds on dpo-a",
    ]
    assert boxes[-1].endswith("not started  ·  it builds on dpo-a, which failed")
    assert app.button_group[0].value == "dpo-b"
    assert [text.value for text in app.text if "no answer" in text.value] == ["dpo-a: line 3: no answer"]
    purposes = [caption.value for caption in app.caption if "follow the log" in caption.value]
    assert purposes == ["follow the log of dpo-b", "follow the log of raw"]


def test_the_stages_of_a_chain_are_in_a_row_without_more_words(trained: None) -> None:
    assert [caption.value for caption in opened().caption if "builds on" in caption.value] == []


def test_the_stage_follows_the_run_until_the_reader_chooses(trained: None, write_job: JobWriter) -> None:
    app = opened()
    write_job("one", {**TRAINING, "currentStage": "sft"})
    cache.clear()
    app.run()
    assert app.button_group[0].value == "sft"
    app.button_group[0].set_value("dpo").run()
    assert (app.button_group[0].value, app.query_params["stage"]) == ("dpo", "dpo")


def test_a_part_of_the_curves_is_in_the_address_until_the_reader_zooms_out(trained: None) -> None:
    app = opened(zoom="20~40")
    app.button(key="zoom-out").click().run()
    assert "zoom" not in app.query_params
    assert not [button for button in app.button if button.key == "zoom-out"]


def test_a_long_message_is_one_line_and_folded_once(write_job: JobWriter) -> None:
    write_job("one", {"phase": "Failed", "reason": "OutOfMemory", "message": LONG, "currentStage": "sft"})
    app = opened()
    assert [text.value for text in app.text if "rank 3" in text.value and len(text.value) > 160] == []
    assert [code.value for code in app.code].count(LONG.strip()) + [code.value for code in app.code].count(LONG) == 1
    assert "lower microBatchSize or maxLength" in words(app)


@pytest.mark.parametrize(
    ("search", "drawn", "sentence"), [("", True, None), ("eval loss", True, None), ("nothing", False, "None of the")]
)
def test_all_metrics_are_found_by_name(trained: None, search: str, drawn: bool, sentence: str | None) -> None:
    app = opened(tab="All metrics", metric=search, stage="sft")
    assert len(charts(app)) == drawn
    assert sentence is None or sentence in words(app)


def test_the_settings_with_their_origins_and_the_clone(write_job: JobWriter) -> None:
    write_job("one", TRAINING)
    app = opened(tab="Config", setting="dpo.beta")
    table = app.dataframe[0].value
    assert list(table["Field"]) == ["stages[1].dpo.beta"]
    assert list(table["From"]) == ["default"]
    clone = next(yaml.safe_load(code.value) for code in app.code if "one-2" in code.value)
    assert clone["kind"] == "AlignmentJob"


def test_the_log_can_be_searched(home: Home, write_job: JobWriter) -> None:
    write_job("one", TRAINING)
    folder = home.workspace / stage_folder("default", "one", "uid-one", "dpo")
    folder.mkdir(parents=True)
    (folder / "stage.log").write_text("step 1\nERROR at [step](http://a) 2\n")
    app = opened(tab="Logs")
    assert "1  step 1\n2  ERROR at [step](http://a) 2" in [code.value for code in app.code]
    app.text_input(key="log-search").set_value("error").run()
    assert "1 of 2 lines hold it" in words(app)
    assert any(code.value.startswith("tail -n 50 -F") for code in app.code)


def test_a_run_without_a_log_or_samples_says_so(trained: None) -> None:
    assert "There is no log yet." in words(opened(tab="Logs"))
    assert "There are no samples yet." in words(opened(tab="Samples"))


def test_hidden_characters_of_the_log_are_visible(home: Home, write_job: JobWriter) -> None:
    write_job("one", TRAINING)
    folder = home.workspace / stage_folder("default", "one", "uid-one", "dpo")
    folder.mkdir(parents=True)
    (folder / "stage.log").write_text("step \u202e1\n", encoding="utf-8")
    assert "1  step \\u202e1" in [code.value for code in opened(tab="Logs").code]


@pytest.mark.parametrize(("phase", "sentence"), [("Failed", "has logged no points."), ("Running", "as soon as it trains.")])
def test_a_stage_without_curves_promises_them_only_while_it_runs(
    write_job: JobWriter, log_run: RunLogger, phase: str, sentence: str
) -> None:
    write_job("one", {**TRAINING, "phase": phase})
    log_run("uid-one", "dpo", {})
    assert sentence in words(opened())


def test_a_run_without_metrics_has_not_searched_them(write_job: JobWriter, log_run: RunLogger) -> None:
    write_job("one", TRAINING)
    log_run("uid-one", "dpo", {})
    text = words(opened(tab="All metrics"))
    assert "There are no metrics yet." in text and "None of the" not in text


def test_while_a_stage_has_no_samples_those_of_the_stage_before_are_shown(trained: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"sft": [{"step": 50, "prompt": "Why?", "policy": "Because."}]}
    monkeypatch.setattr(cache, "samples", lambda _, stage: Known(rows.get(stage, []), None, datetime.now(UTC)))
    shown = words(opened(tab="Samples"))
    assert "Stage dpo has no samples yet. These are those of stage sft." in shown and "Because." in shown
    rows["dpo"] = [{"step": 10, "prompt": "Why?", "policy": "Therefore."}]
    shown = words(opened(tab="Samples"))
    assert "has no samples yet" not in shown and "Therefore." in shown


def test_attempts_and_conditions(write_job: JobWriter) -> None:
    moment = datetime.now(UTC).isoformat()
    condition = {"type": "Failed", "status": "False", "reason": "Training", "message": "dpo", "lastTransitionTime": moment}
    write_job("one", {**TRAINING, "conditions": [condition]})
    app = opened(tab="Events and attempts")
    attempts, conditions = (table.value for table in app.dataframe)
    assert {table.proto.placeholder for table in app.dataframe} == {"–"}
    assert list(attempts["Attempts"]) == [1, 2]
    assert list(conditions["Condition"]) == ["Failed"]
    assert "There are no events." in words(app)


def test_the_last_good_curves_stay_when_mlflow_is_away(trained: None, monkeypatch: pytest.MonkeyPatch) -> None:
    good = cache.curves("uid-one", "dpo", [LOSS])
    gone = Known(good.value, "MLflow does not answer.", datetime(2026, 1, 1, 12, 3, tzinfo=UTC))
    monkeypatch.setattr(cache, "curves", lambda *_arguments: gone)
    app = opened()
    assert len(charts(app)) == 1
    assert "As of 12:03 UTC" in words(app) and "MLflow does not answer." in words(app)


def test_a_run_that_diverged(write_job: JobWriter, log_run: RunLogger) -> None:
    write_job("one", {**TRAINING, "phase": "Failed", "reason": "Diverged", "message": "The loss is NaN."})
    log_run("uid-one", "dpo", {LOSS: [*CURVE[:50], (51, math.nan)]})
    text = words(opened())
    assert "dpo step 51" in text and "lower the learning rate" in text
