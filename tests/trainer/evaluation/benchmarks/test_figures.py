"""The figures of benchmarks from their rows: perplexities of all text, the leaderboard's average, subjects of a group."""

import math
from types import SimpleNamespace

import pytest
from alignment_api.results.evaluation import EvaluatedRow
from alignment_api.spec.settings.evaluation import Task
from alignment_trainer.evaluation.benchmarks.figures import figures_of
from alignment_trainer.evaluation.estimates import Estimates, estimated


def figures(benchmark):
    task = Task(name="some", benchmark=benchmark)
    return {figure.name: figure for figure in figures_of(SimpleNamespace(task=task))}


def row(number, task, scores, **details):
    return EvaluatedRow(
        key=f"{task}{number}", row=f"{task}/{number}", prompt="", scores=scores, details={"task": task, **details}
    )


def text(number, likelihood, words, size):
    weights = {"word_perplexity_weight": words, "byte_perplexity_weight": size, "bits_per_byte_weight": size}
    return row(number, "wikitext", {"word_perplexity": 1.0}, log_likelihood=likelihood, **weights)


def test_perplexities_are_of_all_words_and_bytes_together():
    rows = [text(0, -30.0, 10, 50), text(1, -90.0, 20, 130), text(2, -12.0, 6, 20)]
    found = {name: estimated(figure, rows) for name, figure in figures("wikitext").items()}
    assert found["word_perplexity"].value == pytest.approx(math.exp(132 / 36))
    assert found["byte_perplexity"].value == pytest.approx(math.exp(132 / 200))
    assert found["bits_per_byte"].value == pytest.approx(132 / 200 / math.log(2))
    # lm-eval reports no error for them.
    assert all(estimate.error > 0 and estimate.low < estimate.value < estimate.high for estimate in found.values())


def test_the_difference_of_perplexities_is_of_the_same_texts():
    rows = [text(number, -30.0 - number, 10, 50) for number in range(8)]
    better = [text(number, -29.0 - number, 10, 50) for number in range(8)]
    found = Estimates(figures("wikitext")["word_perplexity"], {"new": better, "old": rows}).difference("new", "old")
    assert found.value == pytest.approx(math.exp(260 / 80) - math.exp(268 / 80))
    assert found.high < 0


BOARD = [
    *(
        row(number, "arc_challenge", {"arc_challenge.acc_norm": float(number < 3), "arc_challenge.acc": 0.0})
        for number in range(4)
    ),
    *(row(number, "hellaswag", {"hellaswag.acc_norm": float(number < 1)}) for number in range(4)),
    *(row(number, "truthfulqa_mc2", {"truthfulqa_mc2.acc": 0.25}) for number in range(4)),
    *(row(number, "mmlu_anatomy", {"mmlu_anatomy.acc": 1.0, "mmlu_stem.acc": 1.0, "mmlu.acc": 1.0}) for number in range(2)),
    *(row(number, "mmlu_virology", {"mmlu_virology.acc": 0.0, "mmlu_other.acc": 0.0, "mmlu.acc": 0.0}) for number in range(6)),
    *(row(number, "winogrande", {"winogrande.acc": 0.5}) for number in range(4)),
    *(
        row(number, "gsm8k", {"gsm8k.exact_match.strict-match": 0.0, "gsm8k.exact_match.flexible-extract": 1.0})
        for number in range(4)
    ),
]


@pytest.mark.parametrize(
    ("name", "value", "count"),
    [
        # Each task counts the same, each subject of MMLU as much as it has rows.
        ("average", (0.75 + 0.25 + 0.25 + 0.25 + 0.5 + 0.0) / 6, 28),
        ("arc_challenge.acc_norm", 0.75, 4),
        ("mmlu.acc", 0.25, 8),
        ("mmlu_anatomy.acc", 1.0, 2),
        ("gsm8k.exact_match.flexible-extract", 1.0, 4),
    ],
)
def test_a_figure_of_a_group_is_made_of_its_own_rows(name, value, count):
    found = estimated(figures("openllm")[name], BOARD)
    assert found.value == pytest.approx(value)
    assert (found.count, found.failed) == (count, 0)


def test_the_leaderboard_shows_its_average_and_six_tasks():
    assert [name for name, figure in figures("openllm").items() if figure.is_main] == [
        "average",
        "arc_challenge.acc_norm",
        "hellaswag.acc_norm",
        "truthfulqa_mc2.acc",
        "mmlu.acc",
        "winogrande.acc",
        "gsm8k.exact_match.strict-match",
    ]
