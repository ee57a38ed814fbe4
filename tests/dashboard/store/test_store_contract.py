"""Both stores answer alike: each situation is written with MLflow's client, and read by SQL and over REST."""

import json
import math
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from alignment_api.metrics import INPUT_HASH_TAG, JOB_UID_TAG, KIND_TAG, LOSS, STAGE_TAG
from alignment_api.results.collected import Reporting
from alignment_dashboard.store import rest
from alignment_dashboard.store.curves import NO_CURVES, read_curves
from alignment_dashboard.store.headlines import NO_HEADLINES, read_headlines
from alignment_dashboard.store.logs import NO_LOG, read_stored_log
from alignment_dashboard.store.newest import by_stage, runs_of_job
from alignment_dashboard.store.reports import (
    NO_REPORTS,
    NO_ROWS,
    JobReports,
    read_model_rows,
    read_reports,
    run_of_report,
)
from alignment_dashboard.store.samples import fault_of, read_samples, rows_of
from alignment_dashboard.store.store import Store, StoredFile, StoreUnavailable
from alignment_dashboard.store.stored_run import StoredRun, milliseconds
from mlflow import MlflowClient
from mlflow.entities import Metric, Param
from reported import exported, report, row

Logged = list[tuple[int, float]]
NOW = datetime.now(UTC)


class Writer:
    """Writes runs of one job into the database."""

    def __init__(self, folder: Path) -> None:
        self.client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
        self.job = f"uid-{uuid.uuid4()}"
        self.experiment = self.client.create_experiment(self.job, artifact_location=str(folder / "artifacts"))

    def run(self, stage: str | None = "sft", job: str | None = None, ended: str | None = None, **others: Any) -> str:
        tags = {JOB_UID_TAG: job or self.job} | ({STAGE_TAG: stage, KIND_TAG: "sft"} if stage else {})
        run_id = str(self.client.create_run(**{"experiment_id": self.experiment, "tags": tags, **others}).info.run_id)
        if ended:
            self.client.set_terminated(run_id, ended)
        return run_id

    def log(self, run_id: str, metric: str, points: Logged, first_time: int = 0) -> None:
        logged = [Metric(metric, value, first_time + number, step) for number, (step, value) in enumerate(points)]
        for start in range(0, len(logged), 1000):
            self.client.log_batch(run_id, logged[start : start + 1000])


@pytest.fixture
def writer(folder: Path) -> Writer:
    return Writer(folder)


def stage(store: Store, writer: Writer, name: str | None = "sft") -> StoredRun:
    return by_stage(store.runs_of(writer.job))[name]


def test_a_run_with_all_that_it_has(store: Store, writer: Writer) -> None:
    run_id = writer.run("dpo", start_time=1_700_000_000_123)
    writer.client.log_batch(run_id, params=[Param("beta", "0.1"), Param("model", "a/b'c\"d `e`")])
    writer.log(run_id, LOSS, [(1, 3.0), (7, 0.5)], first_time=50)
    writer.log(run_id, "odd/name with-spaces.2", [(0, -math.inf)])
    writer.log(run_id, "lost", [(3, math.nan)])
    writer.client.set_terminated(run_id, "FAILED", 1_700_000_009_000)
    run = stage(store, writer, "dpo")
    assert (run.run_id, run.experiment_id, run.job_uid, run.stage, run.kind) == (
        run_id,
        writer.experiment,
        writer.job,
        "dpo",
        "sft",
    )
    assert (run.status, run.is_running) == ("FAILED", False)
    assert run.start_time == datetime.fromtimestamp(1_700_000_000.123, UTC)
    assert run.end_time == datetime.fromtimestamp(1_700_000_009, UTC)
    assert run.parameters == {"beta": "0.1", "model": "a/b'c\"d `e`"}
    assert (run.latest[LOSS], run.latest["odd/name with-spaces.2"]) == (0.5, -math.inf)
    assert math.isnan(run.latest["lost"])
    assert run.marks[LOSS] == (7, 51)


def test_stages_of_a_job_are_found_among_those_of_others(store: Store, writer: Writer) -> None:
    expected = {name: writer.run(name) for name in (None, "sft", "dpo")}
    writer.run("sft", job=f"{writer.job}-other")
    assert {name: run.run_id for name, run in by_stage(store.runs_of(writer.job)).items()} == expected


def test_runs_without_our_tags_and_deleted_runs_are_not_ours(store: Store, writer: Writer) -> None:
    writer.client.create_run(writer.experiment)
    writer.client.create_run(writer.experiment, tags={STAGE_TAG: "sft"})
    writer.client.delete_run(writer.run("sft"))
    assert store.runs_of(writer.job) == []
    assert writer.experiment not in {run.experiment_id for run in store.jobs()}


@pytest.mark.parametrize(
    ("situation", "began", "newest"),
    [
        ("begun anew", [1000, 2000], 1),
        ("written in another order", [2000, 1000], 0),
        ("a clock was wrong by centuries", [1000, 10**13], 0),
        ("a clock was wrong beyond the calendar", [1000, 10**15], 0),
    ],
)
def test_of_several_runs_of_a_stage_the_one_that_began_last_counts(
    store: Store, writer: Writer, situation: str, began: list[int], newest: int
) -> None:
    run_ids = [writer.run("sft", start_time=time, ended="FAILED" if time == 2000 else None) for time in began]
    assert stage(store, writer).run_id == run_ids[newest], situation


@pytest.mark.parametrize("uid", ["uid-none", "o'clock", "' OR '1'='1", "`", '"', "%", ""])
def test_a_job_that_never_logged_has_no_runs(store: Store, writer: Writer, uid: str) -> None:
    writer.run("sft")
    assert store.runs_of(uid) == []


def test_experiments_and_runs_are_paged_through(store: Store, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EXPERIMENTS_AT_ONCE", "RUNS_AT_ONCE", "POINTS_AT_ONCE"):
        monkeypatch.setattr(rest, name, 2)
    others = [writer.client.create_experiment(f"{writer.job}-{number}") for number in range(2)]
    expected = {
        f"stage-{number}": writer.run(f"stage-{number}", experiment_id=experiment)
        for number, experiment in enumerate([writer.experiment, *others] * 2)
    }
    writer.log(expected["stage-0"], LOSS, [(step, 1.0) for step in range(5)])
    assert {name: run.run_id for name, run in by_stage(store.runs_of(writer.job)).items()} == expected
    assert store.histories(expected["stage-0"], {LOSS: None})[LOSS].steps.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("situation", "logged", "read"),
    [
        ("nothing", [], []),
        ("in order", [(1, 3.0), (2, 2.0)], [(1, 3.0), (2, 2.0)]),
        ("out of order", [(2, 2.0), (1, 3.0)], [(1, 3.0), (2, 2.0)]),
        ("steps repeated after a resume", [(1, 3.0), (2, 2.0), (3, 1.9), (2, 2.1)], [(1, 3.0), (2, 2.1), (3, 1.9)]),
        ("diverged", [(1, 3.0), (2, math.inf), (3, -math.inf)], [(1, 3.0), (2, math.inf), (3, -math.inf)]),
        ("tiny and huge", [(1, 5e-324), (2, 1e300)], [(1, 5e-324), (2, 1e300)]),
        ("before zero, and beyond 32 bits", [(-5, 1.0), (2**40, 2.0)], [(-5, 1.0), (2**40, 2.0)]),
    ],
)
def test_histories(store: Store, writer: Writer, situation: str, logged: Logged, read: Logged) -> None:
    run_id = writer.run()
    writer.log(run_id, LOSS, logged)
    history = store.histories(run_id, {LOSS: None, "never": None})[LOSS]
    assert list(zip(history.steps.tolist(), history.values.tolist(), strict=True)) == read, situation


def test_not_a_number_stays_not_a_number(store: Store, writer: Writer) -> None:
    run_id = writer.run()
    writer.log(run_id, LOSS, [(1, 2.0), (2, math.nan), (3, 1.0)])
    assert numbers(store, run_id) == [2.0, None, 1.0]


def numbers(store: Store, run_id: str, metric: str = LOSS) -> list[float | None]:
    values = store.histories(run_id, {metric: None})[metric].values.tolist()
    return [None if math.isnan(value) else value for value in values]


@pytest.mark.parametrize("metric", ["eval/loss", "a/b/c", "with space", "dots.and-dashes_", "été"])
def test_names_of_metrics(store: Store, writer: Writer, metric: str) -> None:
    run_id = writer.run()
    writer.log(run_id, metric, [(1, 2.0)])
    assert metric in stage(store, writer).latest
    assert numbers(store, run_id, metric) == [2.0]
    assert numbers(store, run_id, "'; DROP TABLE runs; --") == []


def test_a_part_of_a_history(store: Store, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = writer.run()
    writer.log(run_id, LOSS, [(step, float(step)) for step in range(20)])
    assert store.histories(run_id, {LOSS: 17})[LOSS].steps.tolist() == [17, 18, 19]
    monkeypatch.setattr(rest, "INTERVAL_POINTS", 2)
    assert store.histories(run_id, {LOSS: 17})[LOSS].steps.tolist()[-3:] == [17, 18, 19]


def test_a_curve_grows_and_repeated_steps_replace_those_before(store: Store, writer: Writer) -> None:
    run_id = writer.run()
    writer.log(run_id, LOSS, [(1, 1.0), (2, 2.0), (3, 3.0)])
    known = read_curves(store, stage(store, writer), [LOSS, "never"], NO_CURVES, now=0)
    writer.log(run_id, LOSS, [(4, 4.0)], first_time=10)
    known = read_curves(store, stage(store, writer), [LOSS, "never"], known, now=1)
    assert {name: history.values.tolist() for name, history in known.histories.items()} == {LOSS: [1.0, 2.0, 3.0, 4.0]}
    writer.log(run_id, LOSS, [(3, 3.5)], first_time=20)
    # Step 3 is not newer than step 4, so only the reading of everything finds it.
    known = read_curves(store, stage(store, writer), [LOSS], known, now=25)
    assert known.histories[LOSS].values.tolist() == [1.0, 2.0, 3.5, 4.0]
    writer.log(run_id, LOSS, [(4, 4.5), (5, 5.5)], first_time=30)
    known = read_curves(store, stage(store, writer), [LOSS], known, now=26)
    assert known.histories[LOSS].values.tolist() == [1.0, 2.0, 3.5, 4.5, 5.5]


def test_outlines_keep_the_ends_and_leave_out_what_is_not_finite(store: Store, writer: Writer) -> None:
    long, odd, empty = writer.run("a"), writer.run("b"), writer.run("c")
    writer.log(long, LOSS, [(step, 1000.0 - step) for step in range(1000)])
    writer.log(odd, LOSS, [(1, math.nan), (2, 5.0), (3, math.inf)])
    found = store.outlines([long, odd, empty], LOSS, 40)
    assert len(found[long]) <= 41
    assert max(found[long]) == 1000.0 and min(found[long]) == 1.0
    assert found[odd] == [5.0]
    assert not found.get(empty)


def test_more_outlines_than_one_request_takes(store: Store, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "INTERVAL_RUNS", 2)
    run_ids = [writer.run(f"stage-{number}") for number in range(5)]
    for run_id in run_ids:
        writer.log(run_id, LOSS, [(1, 7.0)])
    assert store.outlines(run_ids, LOSS, 40) == {run_id: [7.0] for run_id in run_ids}


def test_headlines_are_those_of_whole_jobs_and_what_changes_is_seen(store: Store, writer: Writer) -> None:
    parent = writer.run(None)
    writer.run("sft")
    known = read_headlines(store, NO_HEADLINES, NOW)
    assert known.by_job[writer.job].run_id == parent
    writer.log(parent, "sft/train/loss", [(1, 0.5)])
    known = read_headlines(store, known, NOW + timedelta(seconds=2))
    assert known.by_job[writer.job].latest == {"sft/train/loss": 0.5}
    writer.client.set_terminated(parent, "FINISHED")
    known = read_headlines(store, known, NOW + timedelta(seconds=4))
    assert known.by_job[writer.job].status == "FINISHED"
    # What has not changed stays the same object, also when all runs are read.
    assert read_headlines(store, known, NOW + timedelta(minutes=2)).runs[parent] is known.runs[parent]
    writer.client.delete_run(parent)
    assert writer.job not in read_headlines(store, known, NOW + timedelta(minutes=2)).by_job


def test_only_jobs_that_run_or_ended_lately_are_read_often(store: Store, writer: Writer) -> None:
    running, old, late = writer.run(None, job="uid-running"), writer.run(None, job="uid-old"), writer.run(None, job="uid-late")
    writer.client.set_terminated(old, "FINISHED", milliseconds(NOW - timedelta(hours=2)))
    writer.client.set_terminated(late, "KILLED", milliseconds(NOW))
    found = {run.run_id for run in store.jobs(ended_after=NOW - timedelta(hours=1)) if run.experiment_id == writer.experiment}
    assert found == {running, late}
    assert {running, old, late} <= {run.run_id for run in store.jobs()}


SAMPLE = {"key": "k", "prompt": "<b>?</b>", "chosen": "a", "rejected": None, "policy": "it's 'fine'"}


def test_samples_of_all_steps_are_shown_and_faulty_files_named(store: Store, writer: Writer) -> None:
    run_id = writer.run()
    texts = {
        "step-10.json": json.dumps([SAMPLE]),
        "step-2.json": json.dumps([SAMPLE, SAMPLE]),
        "step-3.json": '[{"prompt": "cut of',
        "step-4.json": '{"prompt": "no list"}',
        "step-5.json": json.dumps([{"prompt": 7, "policy": []}]),
        "step-6.json": "[" * 100_000,
        "notes.txt": "not ours",
        "step-x.json": "[]",
    }
    for name, text in texts.items():
        writer.client.log_text(run_id, text, f"samples/{name}")
    found = read_samples(store, stage(store, writer), {})
    assert [(row["step"], row["prompt"], row["policy"]) for row in rows_of(found)] == [
        (step, SAMPLE["prompt"], SAMPLE["policy"]) for step in (2, 2, 10)
    ]
    fault = fault_of(found)
    assert fault and "samples/step-6.json is not complete JSON" in fault and "and 1 more" in fault


def test_samples_are_read_once(store: Store, writer: Writer) -> None:
    run_id = writer.run()
    writer.client.log_text(run_id, json.dumps([SAMPLE]), "samples/step-1.json")
    known = read_samples(store, stage(store, writer), {})
    writer.client.log_text(run_id, json.dumps([SAMPLE, SAMPLE]), "samples/step-2.json")
    later = read_samples(store, stage(store, writer), known)
    assert later["samples/step-1.json"] is known["samples/step-1.json"]
    assert len(rows_of(later)) == 3


def test_files_of_a_stage_that_began_anew_are_read_again_though_they_are_as_long(store: Store, writer: Writer) -> None:
    def begin(word: str) -> StoredRun:
        run_id = writer.run()
        writer.client.log_text(run_id, json.dumps([{**SAMPLE, "policy": word}]), "samples/step-1.json")
        writer.client.log_text(run_id, word, "logs/stage.log")
        return next(run for run in store.runs_of(writer.job) if run.run_id == run_id)

    old, new = begin("old"), begin("new")
    samples, log = read_samples(store, old, {}), read_stored_log(store, old, NO_LOG)
    assert [row["policy"] for row in rows_of(read_samples(store, new, samples))] == ["new"]
    assert read_stored_log(store, new, log).text == "new"


def test_a_run_of_an_older_trainer_has_neither_samples_nor_log(store: Store, writer: Writer) -> None:
    writer.run()
    run = stage(store, writer)
    assert (rows_of(read_samples(store, run, {})), fault_of(read_samples(store, run, {}))) == ([], None)
    assert read_stored_log(store, run, NO_LOG).text == ""


def test_the_end_of_a_long_log_of_two_files(store: Store, writer: Writer) -> None:
    run_id = writer.run()
    writer.client.log_text(run_id, "".join(f"older {number}\n" for number in range(40_000)), "logs/stage.log.1")
    writer.client.log_text(run_id, "newest ✓\n", "logs/stage.log")
    found = read_stored_log(store, stage(store, writer), NO_LOG)
    lines = found.text.splitlines()
    assert lines[-2:] == ["older 39999", "newest ✓"]
    assert 150_000 < len(found.text) <= 200_000 and lines[0].startswith("older ")
    assert read_stored_log(store, stage(store, writer), found) is found


def test_an_empty_file(store: Store, writer: Writer) -> None:
    run_id = writer.run()
    writer.client.log_text(run_id, "", "logs/stage.log")
    assert read_stored_log(store, stage(store, writer), NO_LOG).text == ""


def test_a_file_that_is_not_there_is_one_sentence(store: Store, writer: Writer) -> None:
    writer.run()
    with pytest.raises(StoreUnavailable, match="cannot be read") as caught:
        store.read_end(stage(store, writer), StoredFile("samples/step-1.json", 50), 100)
    assert "\n" not in str(caught.value)


REPORT = report({("arc", "accuracy", "base"): (0.3, 0.01)})
STAGES = {"eval": Reporting("evaluate"), "int8": Reporting("export")}


def read(
    store: Store, writer: Writer, known: JobReports = NO_REPORTS, stages: Mapping[str, Reporting] = MappingProxyType(STAGES)
) -> JobReports:
    return read_reports(store, "job", stages, runs_of_job(store.runs_of(writer.job)).of_stages, known)


def test_reports_and_rows_are_read_once_and_again_when_they_change(store: Store, writer: Writer) -> None:
    assert read(store, writer).reports.problems[0] == "Stage eval has no report yet; it writes one at its end."
    evaluation, export = writer.run("eval"), writer.run("int8")
    writer.client.log_text(evaluation, REPORT.model_dump_json(by_alias=True), "evaluation/report.json")
    writer.client.log_text(export, exported().model_dump_json(by_alias=True), "export/report.json")
    found = read(store, writer)
    assert [(one.stage, one.report) for one in found.reports.evaluations] == [("eval", REPORT)]
    assert [(one.stage, one.report) for one in found.reports.exports] == [("int8", exported())]
    assert found.reports.problems == ()
    assert read(store, writer, found) is found
    writer.client.log_text(evaluation, "{", "evaluation/report.json")
    later = read(store, writer, found)
    assert [problem.partition(" (")[0] for problem in later.reports.problems] == [
        "evaluation/report.json of stage eval is not a report that this version can read"
    ]
    assert later.reports.exports == found.reports.exports


def test_while_a_stage_runs_with_other_settings_its_earlier_report_is_read(store: Store, writer: Writer) -> None:
    def begin(inputs: str, start: int) -> str:
        tags = {JOB_UID_TAG: writer.job, STAGE_TAG: "eval", KIND_TAG: "evaluate", INPUT_HASH_TAG: inputs}
        return writer.run("eval", tags=tags, start_time=start)

    old = begin("old", 1000)
    writer.client.log_text(old, REPORT.model_dump_json(by_alias=True), "evaluation/report.json")
    standings = []
    for stage in (
        Reporting("evaluate", "old", "Succeeded"),
        Reporting("evaluate", "old", "Running"),
        Reporting("evaluate", "new"),
    ):
        found = read(store, writer, stages={"eval": stage})
        standings.append(found.reports.evaluations[0].standing)
    new = begin("new", 2000)
    found = read(store, writer, found)
    standings.append(found.reports.evaluations[0].standing)
    assert standings == ["Final", "NotEnded", "EarlierSettings", "EarlierSettings"]
    runs = runs_of_job(store.runs_of(writer.job)).of_stages["eval"]
    assert [run.run_id for run in runs] == [new, old]
    having, none = run_of_report(found, "eval", runs), run_of_report(NO_REPORTS, "eval", runs)
    assert (having and having.run_id, none and none.run_id) == (old, new)


def test_the_rows_of_a_model(store: Store, writer: Writer) -> None:
    run_id = writer.run("eval")
    rows = [row("a", 1.0, answer="<b>it's</b>"), row("b", None)]
    lines = "".join(one.model_dump_json(by_alias=True) + "\n" for one in rows)
    writer.client.log_text(run_id, lines, "evaluation/rows/arc/base.jsonl")
    writer.client.log_text(run_id, f"{lines}{{", "evaluation/rows/arc/cut.jsonl")
    run = stage(store, writer, "eval")
    found = read_model_rows(store, run, "arc", "base", NO_ROWS)
    assert (list(found.rows), found.fault) == (rows, None)
    assert read_model_rows(store, run, "arc", "base", found) is found
    faults = [read_model_rows(store, run, "arc", model, NO_ROWS).fault for model in ("cut", "gone", "../base")]
    assert [fault and fault.partition(" (")[0] for fault in faults] == [
        "evaluation/rows/arc/cut.jsonl, line 3 is not a row that this version can read",
        "The rows of gone in arc are not there.",
        "'../base' is not the name of a task or a model.",
    ]
