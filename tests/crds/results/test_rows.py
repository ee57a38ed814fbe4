"""Where two models differ."""

import pytest
from alignment_api.results.rows import paired_rows, row_metrics, shared_metric
from reported import row


def test_rows_are_joined_by_prompt_and_row_and_sorted_by_difference() -> None:
    first = [row("same", 1.0), row("worse", 1.0), row("failed", None), row("better", 0.0), row("only-here", 1.0)]
    second = [row("better", 0.5), row("failed", 1.0), row("same", 1.0), row("worse", 0.0), row("only-there", 1.0)]
    pairs = paired_rows(first, second, "accuracy")
    assert [(pair.first.row, pair.difference) for pair in pairs] == [
        *(("worse", -1.0), ("better", 0.5)),
        *(("failed", None), ("same", 0.0)),
    ]


def test_samples_of_one_prompt_are_joined_one_by_one() -> None:
    first, second = ([row("prompt", score, row=f"sample-{place}") for place, score in enumerate(of)] for of in ((0, 1), (1, 1)))
    assert [pair.difference for pair in paired_rows(first, second, "accuracy")] == [1.0, 0.0]


def test_a_prompt_that_has_changed_is_not_joined() -> None:
    assert paired_rows([row("old", 1.0, row="1")], [row("new", 1.0, row="1")], "accuracy") == []


def test_rows_of_another_task_of_a_group_are_left_out_but_not_rows_that_failed() -> None:
    first = [row("a", 1.0), row("b", 1.0, scores={"exact": 1.0}), row("c", 1.0, scores={}, reason="too long")]
    second = [row("a", 0.0), row("b", 1.0, scores={"exact": 0.0}), row("c", 1.0)]
    assert [(pair.first.row, pair.difference) for pair in paired_rows(first, second, "accuracy")] == [("a", -1.0), ("c", None)]
    assert paired_rows(first[:1], second[:1], "bleu") == []


@pytest.mark.parametrize(
    ("metrics", "metric"),
    [(["average", "accuracy", "bleu"], "accuracy"), (["bleu", "accuracy"], "bleu"), (["average"], "accuracy"), ([], "accuracy")],
)
def test_the_first_metric_that_rows_have_is_compared(metrics: list[str], metric: str) -> None:
    rows = [row("a", 1.0), row("b", 1.0, scores={"bleu": 2.0})]
    assert shared_metric(metrics, rows, rows) == metric
    assert shared_metric(metrics, rows, [row("a", 1.0, scores={"exact": 1.0})]) is None


def test_the_metrics_of_rows() -> None:
    assert row_metrics([row("a", 1.0), row("b", 1.0, scores={"bleu": 2.0, "accuracy": None})]) == ["accuracy", "bleu"]
