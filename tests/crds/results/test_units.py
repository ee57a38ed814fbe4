"""Units of metrics, as tables and files give them."""

import pytest
from alignment_api.results.proofs import Exported
from alignment_api.results.records import export_records, score_records
from alignment_api.results.table import Measured, table
from alignment_api.results.units import unit_of, unit_sentence
from reported import exported, report


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("accuracy", "0 to 1"),
        ("bleu", "0 to 100"),
        ("grade/turn_1", "1 to 10"),
        ("full_refusal/safe", "0 to 1"),
        ("arc_challenge.acc_norm", "0 to 1"),
        ("gsm8k.exact_match.strict-match", "0 to 1"),
        ("length", "characters"),
        ("a metric of a benchmark without a known unit", None),
    ],
)
def test_the_unit_of_a_metric(metric: str, unit: str | None) -> None:
    assert unit_of(metric) == unit


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        (["bleu", "rouge_l", "accuracy", "grade/turn_1"], "Units: bleu: 0 to 100; rouge_l, accuracy: 0 to 1; grade: 1 to 10."),
        (["unknown"], None),
        ([], None),
    ],
)
def test_units_in_a_sentence(metrics: list[str], sentence: str | None) -> None:
    assert unit_sentence(metrics) == sentence


def test_a_table_and_its_records_have_the_units_of_its_metrics() -> None:
    scores = {("arc", metric, "base"): (3.0, 0.2) for metric in ("accuracy", "perplexity", "odd")}
    measured = [Measured("job", "eval", report(scores))]
    assert "Units: accuracy: 0 to 1; perplexity: 1 and above." in table(measured).sentences
    assert {one["metric"]: one["unit"] for one in score_records(measured)} == {
        **{"accuracy": "0 to 1", "perplexity": "1 and above", "odd": None}
    }
    assert all(one["unit"] for one in export_records([Exported("job", "int8", exported())]))
