"""Benchmarks that cannot be measured are refused before a GPU is used."""

from pathlib import Path

import pytest
from alignment_trainer.checks.datasets import Findings, dataset_faults
from alignment_trainer.checks.tasks import check_evaluation, evaluation_rows
from alignment_trainer.failures import BadConfiguration, BadData
from benchmark_rows import write_benchmark
from evaluated_jobs import exam_config

ARC = {"name": "arc", "benchmark": "arc_challenge", "fewShot": 25, "dataset": {"uri": "workspace://benchmarks/arc"}}
FIELD = "spec.stages[1].evaluate.tasks[0]"


def config(root, **changes):
    write_benchmark(root / "benchmarks/arc", "arc_challenge")
    return exam_config(root, [{**ARC, **changes}])


REFUSED = {
    "unknown": ({"benchmark": "arc_chalenge"}, BadConfiguration, ".benchmark: lm-eval 0.4.13 has no task arc_chalenge; did you"),
    "unsafe": (
        {"benchmark": "humaneval", "fewShot": None, "dataset": None},
        BadConfiguration,
        ".benchmark: humaneval runs programs that the model writes, without limits; use measure: HumanEval",
    ),
    "no folder": (
        {"dataset": {"uri": "workspace://benchmarks/none"}},
        BadData,
        ".dataset: workspace://benchmarks/none is not a folder on the workspace volume",
    ),
    "no examples": (
        {"benchmark": "hellaswag", "fewShot": 10, "dataset": {"uri": "workspace://benchmarks/empty"}},
        BadData,
        ".dataset: workspace://benchmarks/empty has no rows to measure; add validation.jsonl with the columns of hellaswag",
    ),
    "of the Hub": (
        {"dataset": {"uri": "hf://allenai/ai2_arc"}},
        BadConfiguration,
        ".dataset: a benchmark reads all rows of a folder on the workspace volume; name a folder as workspace://path",
    ),
    "a fraction": (
        {"dataset": {"uri": "workspace://benchmarks/arc", "fraction": 0.5}},
        BadConfiguration,
        ".dataset: a benchmark reads all rows of a folder on the workspace volume; remove fraction",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_benchmark_that_cannot_be_measured_is_refused(case, tmp_path):
    changes, failure, sentence = REFUSED[case]
    (tmp_path / "benchmarks/empty").mkdir(parents=True)
    with pytest.raises(failure) as refused:
        check_evaluation(config(tmp_path, **changes))
    assert str(refused.value).startswith(FIELD + sentence)


def test_the_files_of_a_benchmark_are_read_before(tmp_path):
    known = config(tmp_path)
    check_evaluation(known)
    with (tmp_path / "benchmarks/arc/test.jsonl").open("a") as file:
        file.write("{broken\n")
    (rows,) = evaluation_rows(known)
    findings = Findings()
    (fault,) = dataset_faults(known, rows, findings)
    assert fault.startswith("benchmarks/arc/test.jsonl:25:")
    assert Path(known.paths.stage).exists()
