"""What runs reached, which is the best, and how far the others are from the baseline."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from alignment_api.metrics import (
    COST,
    EVALUATION_LOSS,
    EVALUATION_REWARD_ACCURACY,
    LOSS,
    REWARD_ACCURACY,
    REWARD_MARGIN,
    ROWS_WRITTEN,
    best_of_stage,
    of_stage,
)
from alignment_api.spec.status import Progress, StageStatus
from alignment_dashboard.facts.comparison.final_texts import exported, write_cell
from alignment_dashboard.facts.comparison.finals import Cell, Column, Finals, finals, table
from alignment_dashboard.facts.comparison.labels import labels
from alignment_dashboard.facts.comparison.spread import Spread
from alignment_dashboard.store.stored_run import StoredRun
from compared_jobs import dpo, job

JOBS = [job("a", dpo(5e-7, seed=1)), job("b", dpo(5e-7, seed=2)), job("c", dpo(1e-6, seed=1))]
NAMES = labels(JOBS)
START = datetime(2026, 1, 1, tzinfo=UTC)


def run(latest: dict[str, float]) -> StoredRun:
    """Make a stored run with these latest values."""
    return StoredRun("run", "0", "uid", None, None, "RUNNING", None, None, "", {}, latest)


def reached(*accuracies: float | None) -> dict[str, Finals]:
    """Return what the runs reached: an evaluation's accuracy, or nothing."""
    known = [{} if value is None else {EVALUATION_REWARD_ACCURACY: value} for value in accuracies]
    return {f"uid-{name}": Finals(values, values) for name, values in zip("abc", known, strict=True)}


PROGRESS = Progress(step=1, total_steps=2, percent=50, updated_time=START, metrics={LOSS: 3.0, REWARD_MARGIN: 0.3})
STATUS = StageStatus(name="dpo", state="Running", progress=PROGRESS)


@pytest.mark.parametrize(
    ("whole", "own", "status", "last", "best"),
    [
        (None, None, None, {}, {}),
        (None, None, STATUS, {LOSS: 3.0, REWARD_MARGIN: 0.3}, {}),
        (None, run({LOSS: 2.0, "train/tokens": 7.0}), STATUS, {LOSS: 2.0, REWARD_MARGIN: 0.3}, {}),
        (
            run({of_stage("dpo", LOSS): 1.0, of_stage("sft", EVALUATION_LOSS): 9.0}),
            None,
            STATUS,
            {LOSS: 1.0, REWARD_MARGIN: 0.3},
            {},
        ),
        (
            run({of_stage("dpo", EVALUATION_LOSS): 0.6, best_of_stage("dpo", EVALUATION_LOSS): 0.5}),
            None,
            None,
            {EVALUATION_LOSS: 0.6},
            {EVALUATION_LOSS: 0.5},
        ),
    ],
)
def test_where_the_values_of_a_run_come_from(
    whole: Any, own: Any, status: Any, last: dict[str, float], best: dict[str, float]
) -> None:
    assert finals("dpo", whole, own, status) == Finals(last, best)


@pytest.mark.parametrize(
    ("metrics", "titles"),
    [
        ([{}, {}], []),
        ([{LOSS: 1.0}, {}], ["Loss"]),
        ([{REWARD_ACCURACY: 0.7}, {REWARD_ACCURACY: 0.6}], ["Accuracy (training)"]),
        # One run has evaluated: accuracies of single training batches are not put beside it.
        ([{REWARD_ACCURACY: 0.7}, {EVALUATION_REWARD_ACCURACY: 0.6}], ["Accuracy"]),
        ([{LOSS: 1.0, EVALUATION_LOSS: 1.1}, {}], ["Loss", "Evaluation loss"]),
    ],
)
def test_which_columns_there_are(metrics: list[dict[str, float]], titles: list[str]) -> None:
    known = {f"uid-{name}": Finals(values, {}) for name, values in zip("ab", metrics, strict=True)}
    assert [column.title for column in table(JOBS[:2], known, 0).columns] == titles


@pytest.mark.parametrize(
    ("accuracies", "baseline", "texts"),
    [
        ((0.7, 0.75, 0.6), 0, ["0.7000", "★ 0.7500  (+0.0500)", "0.6000  (−0.1000)"]),
        ((0.7, 0.75, 0.6), 1, ["0.7000  (−0.0500)", "★ 0.7500", "0.6000  (−0.1500)"]),
        ((0.7, None, 0.6), 0, ["★ 0.7000", "–", "0.6000  (−0.1000)"]),
        ((None, 0.5, 0.6), 0, ["–", "0.5000", "★ 0.6000"]),
        ((math.nan, 0.5, 0.6), 1, ["NaN  (NaN)", "0.5000", "★ 0.6000  (+0.1000)"]),
        # Runs that are equally good are all the best.
        ((0.7, 0.7, 0.6), 0, ["★ 0.7000", "★ 0.7000", "0.6000  (−0.1000)"]),
        # With nothing to compare with, nothing is the best.
        ((None, 0.5, None), 0, ["–", "0.5000", "–"]),
    ],
)
def test_the_best_is_marked_and_each_has_its_difference_to_the_baseline(
    accuracies: tuple[float | None, ...], baseline: int, texts: list[str]
) -> None:
    found = table(JOBS, reached(*accuracies), baseline)
    assert [write_cell(found.columns[0], row.cells[0]) for row in found.rows] == texts


def test_a_lower_loss_is_better_and_a_training_loss_wins_nothing() -> None:
    known = {
        f"uid-{name}": Finals({LOSS: value, EVALUATION_LOSS: value}, {}) for name, value in zip("abc", (3, 1, 2), strict=True)
    }
    assert [[cell.wins for cell in row.cells] for row in table(JOBS, known, 0).rows] == [
        [False, False],
        [False, True],
        [False, False],
    ]


def test_runs_that_differ_in_their_seeds_only_become_one_row_with_mean_and_standard_error() -> None:
    found = table(JOBS, reached(0.7, 0.74, 0.6), 1, over_seeds=True)
    assert [[NAMES[f"uid-{one.metadata.name}"] for one in row.jobs] for row in found.rows] == [["a", "b"], ["c"]]
    assert [write_cell(found.columns[0], row.cells[0]) for row in found.rows] == ["★ 0.7200 ± 0.02", "0.6000  (−0.1200)"]


def test_one_run_alone_has_no_standard_error() -> None:
    row = exported(table(JOBS, reached(0.7, 0.74, 0.6), 0, over_seeds=True), NAMES)[1]
    assert (row["Accuracy n"], row["Accuracy sd"], row["Accuracy se"]) == (1, None, None)


def test_the_exported_rows_have_every_number_as_a_number() -> None:
    rows = exported(table(JOBS, reached(0.7, 0.75, None), 0), NAMES)
    assert rows[1] == {
        "run": "b",
        "dpo.learningRate": 5e-7,
        "seed": 2,
        "Accuracy": 0.75,
        "Accuracy - baseline": pytest.approx(0.05),
        "Best accuracy": 0.75,
        "Best accuracy - baseline": pytest.approx(0.05),
    }
    assert rows[2]["Accuracy"] is None


def test_a_best_value_has_no_difference_in_its_cell() -> None:
    column = Column("Best accuracy", EVALUATION_REWARD_ACCURACY, is_best=True, better=max)
    assert write_cell(column, Cell(Spread(0.5, 1, None), delta=0.1)) == "0.5000"


def test_what_stages_that_write_rows_reached_is_counted() -> None:
    values = [{ROWS_WRITTEN: 12_400.0, COST: 4.1}, {ROWS_WRITTEN: 11_999.0, COST: 5.0}, {}]
    found = table(JOBS, {f"uid-{name}": Finals(last, {}) for name, last in zip("abc", values, strict=True)}, 0)
    assert [column.title for column in found.columns] == ["Rows", "Cost"]
    written = [[write_cell(*pair) for pair in zip(found.columns, row.cells, strict=True)] for row in found.rows]
    assert written == [["12,400", "4.100"], ["11,999  (−401)", "5.000  (+0.900)"], ["–", "–"]]
