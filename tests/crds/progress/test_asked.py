"""What a stage has asked and written, in words."""

from typing import Any

import pytest
from alignment_api import metrics
from alignment_api.progress.asked import asked_so_far
from alignment_api.progress.course import Course

SITUATIONS: list[tuple[str, int, dict[str, float], str]] = [
    ("a stage that trains", 10, {metrics.LOSS: 1.5}, ""),
    (
        "rows of a paid teacher",
        1240,
        {
            metrics.ROWS_WRITTEN: 1203,
            metrics.ROWS_LEFT_OUT: 37,
            metrics.REQUESTS: 1290,
            metrics.PROMPT_TOKENS: 400_000,
            metrics.ANSWER_TOKENS: 812_345,
            metrics.ANSWER_TOKENS_PER_SECOND: 812.4,
            metrics.COST: 4.1,
            metrics.UNANSWERED: 12,
            metrics.unanswered_of("ServerError"): 2,
            metrics.unanswered_of("EmptyAnswer"): 10,
        },
        "1,240 of 64,000 rows, 3 % left out, 1,290 requests, 1.2 M tokens (812 per second), cost 4.10, "
        "12 unanswered (10 EmptyAnswer, 2 ServerError)",
    ),
    (
        "rows of a free teacher that answers all",
        120,
        {metrics.ROWS_WRITTEN: 120, metrics.ROWS_LEFT_OUT: 0, metrics.REQUESTS: 1, metrics.ANSWER_TOKENS: 950, metrics.COST: 0},
        "120 of 64,000 rows, 1 request, 950 tokens",
    ),
    (
        "rows whose answers were all kept",
        30,
        {metrics.ROWS_WRITTEN: 30, metrics.REQUESTS: 1, metrics.KEPT_ANSWERS: 30},
        "30 of 64,000 rows, 1 request, 30 answers kept from before",
    ),
    (
        "no answer was kept",
        30,
        {metrics.ROWS_WRITTEN: 30, metrics.REQUESTS: 30, metrics.KEPT_ANSWERS: 0},
        "30 of 64,000 rows, 30 requests",
    ),
    (
        "few rows left out",
        64_000,
        {metrics.ROWS_WRITTEN: 63_990, metrics.ROWS_LEFT_OUT: 10},
        "64,000 of 64,000 rows, 0.02 % left out",
    ),
    (
        "reasons of an earlier attempt",
        9,
        {metrics.ROWS_WRITTEN: 9, metrics.UNANSWERED: 1, metrics.unanswered_of("Timeout"): 3},
        "9 of 64,000 rows, 1 unanswered",
    ),
    (
        "a finished stage has no speed",
        64_000,
        {metrics.ROWS_WRITTEN: 9, metrics.ANSWER_TOKENS: 10, metrics.ANSWER_TOKENS_PER_SECOND: 5},
        "64,000 of 64,000 rows, 10 tokens",
    ),
    ("before the first row", 0, {metrics.ROWS_WRITTEN: 0, metrics.ROWS_LEFT_OUT: 0}, "0 of 64,000 rows"),
    ("rows that are judged", 500, {metrics.ROWS_WRITTEN: 250, metrics.ROWS_LEFT_OUT: 250}, "500 of 64,000 rows, 50 % left out"),
    (
        "a student that is trained on a teacher's answers",
        500,
        {metrics.LOSS: 0.6, metrics.ROWS_WRITTEN: 90, metrics.REQUESTS: 164_000, metrics.PROMPT_TOKENS: 2.5e9},
        "164,000 requests, 2.5 G tokens",
    ),
    ("a round without a judge", 500, {metrics.LOSS: 0.6, metrics.ROUND: 1}, "round 1 ended"),
    (
        "a judged round",
        500,
        {metrics.LOSS: 0.6, metrics.ROUND: 2, metrics.ROUND_WIN_RATE: 0.625, metrics.ROUND_WIN_RATE_ERROR: 0.0441},
        "round 2 ended, win rate 0.62 ± 0.04",
    ),
    (
        "an attempt that was killed",
        9,
        {metrics.ROWS_WRITTEN: 9, metrics.REQUESTS: 25, metrics.ANSWER_TOKENS: 950, metrics.COST: 1.5, metrics.POSSIBLY_PAID: 16},
        "9 of 64,000 rows, 25 requests, at most 950 tokens, cost at most 1.50, 16 requests possibly paid for nothing",
    ),
    ("answers that are long", 9, {metrics.ROWS_WRITTEN: 9, metrics.ANSWER_TOKENS: 345_600}, "9 of 64,000 rows, 346 k tokens"),
    ("a number that is none", 9, {metrics.ROWS_WRITTEN: 9, metrics.COST: float("nan")}, "9 of 64,000 rows"),
]


@pytest.mark.parametrize(("step", "values", "words"), [row[1:] for row in SITUATIONS], ids=[row[0] for row in SITUATIONS])
def test_in_words(step: int, values: dict[str, Any], words: str) -> None:
    course = Course()
    course.add(1_767_268_800_000, step, {**values, metrics.TOTAL_STEPS: 64_000})
    progress = course.progress()
    assert progress is not None
    assert ", ".join(asked_so_far(progress)) == words
