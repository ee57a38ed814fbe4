"""The pages of what models reached: the tab of a run, the mode of a comparison, and the rows behind the scores."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from alignment_api.home import Home
from alignment_api.metrics import KIND_TAG
from alignment_api.results.evaluation import EvaluatedRow, EvaluationReport
from alignment_api.results.export import ExportReport
from alignment_api.spec.job import AlignmentJob
from compared_jobs import dpo, evaluate, export, sft
from mlflow import MlflowClient
from opened_pages import page, page_at, words
from reported import exported, report, row
from streamlit.testing.v1 import AppTest

JobWriter = Callable[..., AlignmentJob]
RunLogger = Callable[..., str]
SCORES = {
    ("arc", "accuracy", "base"): (0.3, 0.02),
    ("arc", "accuracy", "sft"): (0.35, 0.02),
    ("arc", "accuracy", "dpo"): (0.45, 0.02),
}
DIFFERENCES = {("arc", "accuracy", "sft"): (0.05, 0.01), ("arc", "accuracy", "dpo"): (0.15, 0.01)}
PANEL = {"task": "arc", "judges": ["large", "small"], "agreement": 0.81, "agreement_count": 160, "first_position": 0.54}
REPORT = report(SCORES, DIFFERENCES, panels=[PANEL], notes=["<b>3 rows</b> are *cut*."])
HOSTILE = "<script>alert(1)</script> *bold* [link](http://x.y) $x$ \u202eevil"
ROWS = {
    "base": [row(f"r{number}", 0.0, answer=f"No {number}") for number in range(12)] + [row("same", 1.0, prompt="Alike")],
    "dpo": [row(f"r{number}", 1.0, answer=HOSTILE, reason="A judge said so.") for number in range(12)]
    + [row("same", 1.0, prompt="Alike")],
}
SUCCEEDED = {"phase": "Succeeded", "stages": [{"name": "eval", "state": "Succeeded"}]}

Files = Mapping[str, str]


def files_of(report: EvaluationReport | ExportReport, rows: Mapping[str, list[EvaluatedRow]] | None = None) -> Files:
    """Return the files of a stage's run, by their paths."""
    folder = "evaluation" if isinstance(report, EvaluationReport) else "export"
    known = {f"{folder}/report.json": report.model_dump_json(by_alias=True)}
    for name, found in (rows or {}).items():
        known[f"evaluation/rows/arc/{name}.jsonl"] = "".join(one.model_dump_json(by_alias=True) + "\n" for one in found)
    return known


@pytest.fixture
def log_files(home: Home, log_run: RunLogger) -> Callable[..., None]:
    """Log the files of a stage's run."""

    def log(job: str, stage: str, kind: str, files: Files) -> None:
        client = MlflowClient(home.tracking_uri)
        # The files of the default experiment are in the folder where the database was made.
        experiment = client.create_experiment(f"{job}-{stage}", artifact_location=str(home.artifacts / job / stage))
        run_id = log_run(f"uid-{job}", stage, {}, experiment_id=experiment)
        client.set_tag(run_id, KIND_TAG, kind)
        for path, text in files.items():
            client.log_text(run_id, text, path)

    return log


@pytest.fixture
def evaluated(write_job: JobWriter, log_files: Callable[..., None]) -> None:
    """Write a run whose models are measured and exported."""
    write_job("one", SUCCEEDED, stages=[sft(), dpo(), evaluate("base", "sft", "dpo"), export()])
    log_files("one", "eval", "evaluate", files_of(REPORT, ROWS))
    log_files("one", "int8", "export", files_of(exported()))


def tab(job: str = "one", **query: str) -> AppTest:
    """Open the tab Evaluation of a run."""
    return page(f"uid-{job}", tab="Evaluation", **query)


@pytest.mark.usefixtures("evaluated")
def test_scores_judges_and_exports_of_a_run() -> None:
    app = tab()
    scores = app.dataframe[0].value
    assert list(scores["Model"]) == ["base", "sft", "dpo"]
    assert list(scores["arc accuracy"]) == [0.3, 0.35, 0.45]
    assert list(scores["Made by"]) == ["base", "base → sft", "base → sft → dpo"]
    judges, exports = (table.value.map(lambda text: text.replace("\\", "")) for table in app.table)
    assert list(judges["two judges agree"]) == ["81 % of 160 verdicts"]
    assert exports.loc["size"].item() == "2.78 MB → 836 KB (30 %)"
    assert "eval: <b>3 rows</b> are *cut*." in words(app)


def test_a_broken_limit_of_an_export_is_shown(write_job: JobWriter, log_files: Callable[..., None]) -> None:
    write_job("one", {"phase": "Failed"}, stages=[sft(), export()])
    limit = {"name": "minimumAgreement", "limit": 0.995, "figure": 0.993, "is_broken": True}
    log_files("one", "int8", "export", files_of(exported(limits=[limit])))
    app = tab()
    assert "int8 failed: minimumAgreement is 0.995, and the written model reached 0.993." in words(app)
    (exports,) = (table.value for table in app.table)
    assert exports.loc["limits"].item().replace("\\", "") == "minimumAgreement 0.995 failed: 0.993"


@pytest.mark.usefixtures("evaluated")
def test_cells_can_show_differences_and_the_address_says_so() -> None:
    app = tab(cells="differences")
    control = next(one for one in app.segmented_control if one.label == "Cells")
    assert control.value == "differences" and control.options == ["Scores", "Differences to base"]
    assert list(app.dataframe[0].value["arc accuracy"]) == [0.3, 0.35, 0.45]


@pytest.mark.parametrize(
    ("situation", "stages", "files", "sentence"),
    [
        ("no such stage", [sft()], None, "No stage of this run evaluates or exports a model."),
        ("not yet", [sft(), evaluate("sft")], None, "Stage eval has no report yet; it writes one at its end."),
        (
            "cut",
            [sft(), evaluate("sft")],
            {"evaluation/report.json": "{"},
            "evaluation/report.json of stage eval is not a report that",
        ),
        ("empty", [sft(), evaluate("sft")], files_of(report({})), "The report has no scores."),
    ],
)
def test_what_is_missing_or_broken_is_a_sentence(
    write_job: JobWriter,
    log_files: Callable[..., None],
    situation: str,
    stages: list[Any],
    files: Files | None,
    sentence: str,
) -> None:
    write_job("one", SUCCEEDED, stages=stages)
    log_files("one", "eval", "evaluate", files or {})
    app = tab()
    assert sentence in words(app), situation
    assert not app.dataframe


@pytest.mark.parametrize("open_page", [tab, lambda: page_at("app_pages/rows.py", job="uid-one")], ids=["scores", "rows"])
def test_figures_of_a_stage_that_runs_again_are_shown_with_a_sign(
    write_job: JobWriter, log_files: Callable[..., None], open_page: Callable[[], AppTest]
) -> None:
    running = {"phase": "Running", "stages": [{"name": "eval", "state": "Running"}]}
    write_job("one", running, stages=[sft(), dpo(), evaluate("base", "sft", "dpo")])
    log_files("one", "eval", "evaluate", files_of(REPORT, ROWS))
    app = open_page()
    assert "Stage eval runs again or has not ended: its figures are those of the last report that it wrote." in words(app)


def test_a_comparison_says_whose_figures_are_not_final(write_job: JobWriter, log_files: Callable[..., None]) -> None:
    for name, state in (("one", "Succeeded"), ("two", "Running")):
        write_job(name, {"phase": state, "stages": [{"name": "eval", "state": state}]}, stages=[sft(), evaluate("sft")])
        log_files(name, "eval", "evaluate", files_of(report({("arc", "accuracy", "sft"): (0.5, 0.01)})))
    shown = words(page_at("app_pages/compare.py", jobs="uid-one,uid-two", view="evaluation"))
    assert "two: Stage eval runs again or has not ended" in shown and "one: Stage" not in shown


@pytest.mark.usefixtures("evaluated")
def test_a_comparison_shows_the_models_of_all_runs(write_job: JobWriter, log_files: Callable[..., None]) -> None:
    write_job("two", SUCCEEDED, stages=[sft(), evaluate("sft")])
    write_job("three", SUCCEEDED, stages=[sft()])
    other = report({("arc", "accuracy", "sft"): (0.5, 0.01)}, settings={"arc": {"few_shot": 5}})
    log_files("two", "eval", "evaluate", files_of(other))
    app = page_at("app_pages/compare.py", jobs="uid-one,uid-two,uid-three", view="evaluation")
    scores = app.dataframe[0].value
    assert [link.partition("name=")[2].partition("&")[0] for link in scores["Model"]] == [
        *("one%2Fbase", "one%2Fsft", "one%2Fdpo"),
        "two%2Fsft",
    ]
    assert list(scores.columns[1:]) == ["arc accuracy in one/eval", "arc accuracy in two/eval"]
    shown = words(app)
    assert "arc was measured with unlike settings, so its columns are not ranked together: seed is 0 in one/eval" in shown
    assert "three has no stage that evaluates or exports." in shown


@pytest.mark.usefixtures("evaluated")
@pytest.mark.parametrize(
    ("hidden", "models"), [("uid-two", ["one"]), ("uid-one", ["two"]), ("", ["one", "two"]), ("uid-one,uid-two", [])]
)
def test_a_comparison_leaves_out_the_models_of_hidden_runs(
    write_job: JobWriter, log_files: Callable[..., None], hidden: str, models: list[str]
) -> None:
    write_job("two", SUCCEEDED, stages=[sft(), evaluate("sft")])
    log_files("two", "eval", "evaluate", files_of(report({("arc", "accuracy", "sft"): (0.5, 0.01)})))
    app = page_at("app_pages/compare.py", jobs="uid-one,uid-two", view="evaluation", hidden=hidden)
    links = [link for table in app.dataframe for link in table.value.get("Model", [])]
    assert list(dict.fromkeys(link.partition("job=")[2].partition("&")[0].removeprefix("uid-") for link in links)) == models
    assert ("All runs are hidden." in words(app)) == (not models)


@pytest.mark.usefixtures("evaluated")
@pytest.mark.parametrize("open_page", [tab, lambda: page_at("app_pages/rows.py", job="uid-one")], ids=["scores", "rows"])
def test_a_csv_is_written_when_it_is_clicked(monkeypatch: pytest.MonkeyPatch, open_page: Callable[[], AppTest]) -> None:
    written: list[object] = []
    monkeypatch.setattr("pandas.DataFrame.to_csv", lambda frame, **_: written.append(frame) or "")
    app = open_page()
    assert [one for one in app.get("download_button") if one.proto.label == "CSV"]
    assert written == []


def rows_page(**query: str) -> AppTest:
    """Open the rows of the run."""
    return page_at("app_pages/rows.py", job="uid-one", **query)


@pytest.mark.usefixtures("evaluated")
def test_the_rows_in_which_two_models_differ_stand_side_by_side_as_they_are() -> None:
    app = rows_page()
    assert [box.value for box in app.selectbox] == ["eval", "arc", "base", "dpo", "accuracy"]
    html = "".join(element.proto.body for element in app.get("html"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt; *bold* [link](http://x.y) $x$ \\u202eevil" in html
    assert "<script>" not in html
    assert html.count("Prompt r") == 10
    assert "A judge said so." in html and "Alike" not in html
    assert len([text for text in words(app).splitlines() if text.startswith("accuracy +1")]) == 10


@pytest.mark.parametrize(
    ("query", "prompts"),
    [
        ({"page": "2"}, 2),
        ({"page": "99"}, 2),
        ({"page": "x"}, 10),
        ({"rows": "worse"}, 0),
        ({"rows": "all", "text": "alike"}, 1),
        ({"text": "no 11"}, 1),
        ({"first": "dpo", "second": "base", "rows": "worse"}, 10),
        ({"task": "../../etc", "first": "gone"}, 10),
    ],
)
@pytest.mark.usefixtures("evaluated")
def test_the_address_says_which_rows_are_shown(query: dict[str, str], prompts: int) -> None:
    html = "".join(element.proto.body for element in rows_page(**query).get("html"))
    assert html.count("max-width:110ch") == prompts


@pytest.mark.usefixtures("evaluated")
def test_a_choice_changes_the_address_and_returns_to_the_first_page() -> None:
    app = rows_page(page="2")
    app.segmented_control[0].set_value("better").run()
    assert app.query_params["rows"] == "better" and "page" not in app.query_params


@pytest.mark.usefixtures("evaluated")
def test_rows_that_are_not_there_are_said() -> None:
    assert "The rows of sft in arc are not there." in words(rows_page(second="sft"))


@pytest.mark.parametrize(("job", "sentence"), [("", "No run is chosen."), ("uid-gone", "No run has the id uid-gone")])
def test_rows_of_no_run(write_job: JobWriter, job: str, sentence: str) -> None:
    write_job("one", SUCCEEDED)
    assert sentence in words(page_at("app_pages/rows.py", job=job))
