"""Where two models differ."""

from alignment_api.results.rows import paired_rows, row_metrics
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


def test_a_metric_that_no_row_has_leaves_no_difference() -> None:
    assert [pair.difference for pair in paired_rows([row("a", 1.0)], [row("a", 0.0)], "bleu")] == [None]


def test_the_metrics_of_rows() -> None:
    assert row_metrics([row("a", 1.0), row("b", 1.0, scores={"bleu": 2.0, "accuracy": None})]) == ["accuracy", "bleu"]
