"""Any number of processes and nodes measures each row once, with the scores of one process and of lm-eval itself."""

import json
from types import SimpleNamespace

import pytest
from alignment_api.results.evaluation import EvaluatedRow
from alignment_api.spec.settings.evaluation import Task
from alignment_trainer.evaluation.benchmarks.figures import figures_of
from alignment_trainer.evaluation.estimates import estimated
from benchmark_program import KILLED, MEASURED, PLACES

ROWS = {"arc_challenge": 24, "gsm8k": 4, "wikitext": 7}
METRICS = {
    "arc_challenge": {"acc": "acc,none", "acc_norm": "acc_norm,none"},
    "gsm8k": {
        "exact_match.strict-match": "exact_match,strict-match",
        "exact_match.flexible-extract": "exact_match,flexible-extract",
    },
}


def written(root, way, name):
    """Return all rows that all processes wrote, in the order in which they did."""
    files = sorted((root / way / "measured" / name / "base").glob("*.jsonl"))
    return [EvaluatedRow.parse_stored(json.loads(line)) for file in files for line in file.read_text().splitlines()]


def calls(root, way, name):
    return [int(file.read_text()) for file in sorted((root / way).glob(f"{name}.*.calls"))]


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("way", [*PLACES, KILLED])
def test_each_row_is_measured_once(measured, way, name):
    rows = [row.row for row in written(measured, way, name)]
    assert sorted(rows) == sorted(f"{name}/{number}" for number in range(ROWS[name]))


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("way", ["two", "nodes"])
def test_two_processes_share_the_model_calls(measured, way, name):
    (alone,), shared = calls(measured, "one", name), calls(measured, way, name)
    assert len(shared) == 2
    assert sum(shared) == alone
    assert min(shared) > 0


@pytest.mark.parametrize("name", MEASURED)
@pytest.mark.parametrize("way", ["two", "nodes", KILLED])
def test_the_rows_are_those_of_one_process(measured, way, name):
    alone, found = ({row.row: row for row in written(measured, how, name)} for how in ("one", way))
    assert found == alone


@pytest.mark.parametrize(("name", "metric"), [(name, metric) for name, found in METRICS.items() for metric in found])
def test_the_scores_are_those_of_lm_eval(measured, official, name, metric):
    rows = written(measured, "one", name)
    mean = sum(row.scores[metric] for row in rows) / len(rows)
    assert mean == pytest.approx(official["results"][name][METRICS[name][metric]], abs=1e-12)


def test_the_perplexities_are_those_of_lm_eval(measured, official):
    task = SimpleNamespace(task=Task(name="wiki", benchmark="wikitext"))
    for figure in figures_of(task):
        found = estimated(figure, written(measured, "one", "wikitext"))
        assert found.value == pytest.approx(official["results"]["wikitext"][f"{figure.name},none"], rel=1e-5)


def test_rows_are_joined_with_those_of_lm_eval_by_their_hashes(measured, official):
    samples = {f"arc_challenge/{one['doc_id']}": one for one in official["samples"]["arc_challenge"]}
    for row in written(measured, "one", "arc_challenge"):
        sample = samples[row.row]
        assert row.key == f"{sample['prompt_hash'][:16]}-{sample['doc_hash'][:16]}"
        assert row.scores == {"acc": sample["acc"], "acc_norm": sample["acc_norm"]}


@pytest.mark.parametrize("name", ["arc_challenge", "gsm8k"])
def test_a_row_has_its_question_and_only_the_first_its_examples(measured, official, name):
    asked = {f"{name}/{one['doc_id']}": one["arguments"][0][0] for one in official["samples"][name]}
    for row in written(measured, "one", name):
        assert asked[row.row].endswith(row.prompt) and row.prompt.count("Question:") == 1
        assert row.details.get("worked_examples", "") + row.prompt == asked[row.row] or row.row != f"{name}/0"
        assert ("worked_examples" in row.details) == (row.row == f"{name}/0")
