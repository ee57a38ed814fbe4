"""The page that compares runs, as a visitor gets it."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from alignment_api.home import Home
from alignment_api.metrics import EVALUATION_LOSS, EVALUATION_REWARD_ACCURACY, LOSS
from alignment_api.spec.job import AlignmentJob
from alignment_dashboard import cache
from alignment_dashboard.cache import Known
from opened_pages import page_at, words
from streamlit.testing.v1 import AppTest

JobWriter = Callable[..., AlignmentJob]
RunLogger = Callable[..., str]
PROBLEM = "MLflow does not answer."
SUCCEEDED = {"phase": "Succeeded", "progress": "100%", "currentStage": "dpo"}


def dpo(rate: float) -> dict[str, object]:
    """Return a DPO stage with a learning rate."""
    return {"name": "dpo", "dpo": {"optimization": {"learningRate": rate}}}


def compare(*names: str, **query: str) -> AppTest:
    """Open the comparison of jobs."""
    return page_at("app_pages/compare.py", jobs=",".join(f"uid-{name}" for name in names), **query)


def configuration(app: AppTest) -> Any:
    """Return the table of parameters by runs, without the backslashes of escaped markdown."""
    table = app.table[0].value
    return table.rename(index=unescaped, columns=unescaped).map(unescaped)


def unescaped(text: str) -> str:
    """Remove the backslashes of escaped markdown."""
    return text.replace("\\", "")


@pytest.fixture
def two(write_job: JobWriter, log_run: RunLogger) -> None:
    """Write two runs, of which b is the better one."""
    for name, rate, accuracy in (("a", 5e-7, 0.6), ("b", 1e-6, 0.7)):
        write_job(name, SUCCEEDED, stages=[dpo(rate)])
        log_run(f"uid-{name}", "dpo", {LOSS: [(1, 0.7), (2, 0.5)], EVALUATION_REWARD_ACCURACY: [(2, accuracy)]})


@pytest.mark.parametrize("names", [(), ("a",), ("gone", "a")])
def test_fewer_than_two_runs_say_how_to_choose(write_job: JobWriter, names: tuple[str, ...]) -> None:
    write_job("a", SUCCEEDED)
    app = compare(*names)
    assert "Choose at least two runs" in words(app)
    assert not app.dataframe


@pytest.mark.parametrize(("named", "picked", "address"), [(("b",), ["a"], "uid-b,uid-a"), ((), ["b", "a"], "uid-b,uid-a")])
@pytest.mark.usefixtures("two")
def test_the_runs_that_a_comparison_lacks_are_picked_by_name(named: tuple[str, ...], picked: list[str], address: str) -> None:
    app = compare(*named)
    assert app.multiselect[0].options == sorted({"a", "b"} - {*named}, reverse=True)
    for name in picked:
        app.multiselect[0].select(f"uid-{name}").run()
    assert app.query_params["jobs"] == address
    assert "Compare 2 runs" in words(app)


def test_runs_that_have_logged_nothing_have_a_sentence_instead_of_empty_panels(
    write_job: JobWriter, home: Home, empty_database: Path
) -> None:
    for name in ("a", "b"):
        write_job(name, {"phase": "Queued"}, stages=[dpo(5e-7)])
    shutil.copy(empty_database, home.root / "mlflow.db")
    app = compare("a", "b")
    assert "No run has a curve of stage dpo yet." in words(app)
    assert not app.get("echarts_chart")


@pytest.mark.usefixtures("two")
def test_two_runs_side_by_side_show_what_differs_and_which_is_the_best() -> None:
    app = compare("a", "b")
    assert list(configuration(app).columns) == ["⚑ a", "b"]
    assert list(configuration(app).loc["dpo.learningRate"]) == ["5e-7", "▲ 1e-6"]
    assert list(app.dataframe[0].value["Accuracy"]) == [0.6, 0.7]
    assert "★ b has the best accuracy 0.7000: dpo.learningRate 1e-6." in words(app)
    assert len(app.get("echarts_chart")) == 1
    assert "thin line with dots" in words(app) and "Finely dotted: rejected." in words(app)


@pytest.mark.usefixtures("two")
def test_an_unknown_run_is_said_and_the_rest_compared() -> None:
    app = compare("a", "gone", "b")
    assert "no job has the id uid-gone" in words(app)
    assert app.title[0].value == "Compare 2 runs"


def test_a_run_without_the_stage_is_said(two: None, write_job: JobWriter) -> None:
    write_job("c", SUCCEEDED, stages=[{"name": "sft", "sft": {}}])
    app = compare("a", "b", "c")
    assert "c has no stage dpo" in words(app)
    assert len(app.dataframe[-1].value) == 3


@pytest.mark.usefixtures("two")
def test_a_flag_makes_a_run_the_baseline_and_the_address_says_so() -> None:
    app = compare("a", "b")
    app.button("baseline-uid-b").click().run()
    assert app.query_params["baseline"] == "uid-b"
    assert list(configuration(app).columns) == ["a", "⚑ b"]
    assert list(configuration(app).loc["dpo.learningRate"]) == ["▼ 5e-7", "1e-6"]


def test_a_removed_run_leaves_the_address(two: None, write_job: JobWriter) -> None:
    write_job("c", SUCCEEDED, stages=[dpo(2e-6)])
    app = compare("a", "b", "c", baseline="uid-c", hidden="uid-c")
    app.button("remove-uid-c").click().run()
    assert app.query_params["jobs"] == "uid-a,uid-b"
    assert "baseline" not in app.query_params and "hidden" not in app.query_params


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize("view", ["matrix", "scatter"])
def test_a_view_is_in_the_address(view: str) -> None:
    app = compare("a", "b", view=view)
    assert len(app.get("echarts_chart")) == 1
    assert [button.label for button in app.get("download_button")] == ["CSV"] * 3


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("view", "hints"),
    [
        ("curves", ["Hide the curves of a", "Show the curves of b"]),
        ("evaluation", ["Hide the scores and exports of a", "Show the scores and exports of b"]),
        ("matrix", []),
        ("scatter", []),
    ],
)
def test_the_eye_of_a_run_says_what_it_hides_in_the_view(view: str, hints: list[str]) -> None:
    app = compare("a", "b", view=view, hidden="uid-b")
    assert [button.help for button in app.button if (button.key or "").startswith("hidden-")] == hints


@pytest.mark.usefixtures("two")
def test_the_sft_stage_of_runs_is_chosen_by_the_address(write_job: JobWriter, log_run: RunLogger) -> None:
    for name, loss in (("c", 1.5), ("d", 1.2)):
        write_job(name, SUCCEEDED)
        log_run(f"uid-{name}", "sft", {EVALUATION_LOSS: [(2, loss)]})
    app = compare("c", "d", stage="sft")
    assert list(app.dataframe[-1].value["Evaluation loss"]) == [1.5, 1.2]


@pytest.mark.usefixtures("two")
def test_when_mlflow_is_away_the_last_curves_and_results_stay_and_say_how_old_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(read: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *asked: read(*asked)._replace(problem=PROBLEM, as_of=datetime(2026, 1, 1, 12, 3, tzinfo=UTC))

    app = compare("a", "b")
    for name in ("curves", "headlines"):
        monkeypatch.setattr(cache, name, away(getattr(cache, name)))
    app.run()
    assert f"{PROBLEM} The curves are as of 12:03 UTC." in words(app)
    assert f"{PROBLEM} The results are as of 12:03 UTC." in words(app)
    assert len(app.get("echarts_chart")) == 1
    assert list(app.dataframe[-1].value["Accuracy"]) == [0.6, 0.7]


def test_when_mlflow_was_never_there_the_page_says_so_and_still_shows_what_differs(
    write_job: JobWriter, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, rate in (("a", 5e-7), ("b", 1e-6)):
        write_job(name, SUCCEEDED, stages=[dpo(rate)])
    monkeypatch.setattr(cache, "curves", lambda *asked: Known({}, PROBLEM, datetime.now(UTC)))
    app = compare("a", "b")
    assert PROBLEM in words(app) and "as of" not in words(app)
    assert list(configuration(app).loc["dpo.learningRate"]) == ["5e-7", "▲ 1e-6"]
