"""The search language: which runs a text finds, and what it says about terms that mean nothing."""

import pytest
from alignment_dashboard.facts.run_list.query import search
from list_rows import a_row

ROWS = [
    a_row(
        "alpha", {"dpo.learningRate": 5e-7, "dpo.beta": 0.1, "dpo.loss": "sigmoid", "seed": 1}, {"loss": 0.3, "train.margin": 1.5}
    ),
    a_row("beta-two", {"dpo.learningRate": 1e-6, "dpo.beta": 0.5, "dpo.loss": "ipo", "seed": 2}, {"loss": 0.6}, namespace="lab"),
    a_row(
        "gamma", {"sft.learningRate": 2e-5, "sft.packing": True}, phase="Failed", reason="BadData: line 17", model="hf://llama"
    ),
    a_row("both", {"sft.learningRate": 2e-5, "dpo.learningRate": 1e-7}, model=None),
    a_row("delta", {}, phase="Queued", model=None, gpu_hours=2.5),
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["alpha", "beta-two", "gamma", "both", "delta"]),
        ("alpha", ["alpha"]),
        ("ALPHA", ["alpha"]),
        ("gam b", ["gamma"]),
        ('"line 17"', ["gamma"]),
        ("lr=5e-7", ["alpha"]),
        ("lr=0.0000005", ["alpha"]),
        ("learningRate=2e-5", ["gamma"]),
        ("dpo.learningRate=2e-5", []),
        ("dpo.learningRate<=5e-7", ["alpha", "both"]),
        ("lr>1e-6", ["gamma"]),
        ("lr<5e-7", ["both"]),
        ("sft.lr=2e-5", ["gamma", "both"]),
        ("beta>0.1", ["beta-two"]),
        ("beta>=0.1", ["alpha", "beta-two"]),
        ("lr=5e-7 beta=0.1", ["alpha"]),
        ("lr=5e-7 beta=0.5", []),
        ("seed!=1", ["beta-two", "gamma", "both", "delta"]),
        ("model:zephyr", ["alpha", "beta-two"]),
        ("model:ZEPHYR ns:lab", ["beta-two"]),
        ("namespace=lab", ["beta-two"]),
        ("status:failed", ["gamma"]),
        ("status:waiting", ["delta"]),
        ("status:queued", ["delta"]),
        ("loss:ipo", ["beta-two"]),
        ("loss<0.5", ["alpha"]),
        ("loss:ipo loss<0.5", []),
        ("train.margin>1", ["alpha"]),
        ("packing=true", ["gamma"]),
        ("reason:baddata", ["gamma"]),
        ("gpu-hours>2", ["delta"]),
        ("gpu-h>2", ["delta"]),
        ("name:beta", ["beta-two"]),
    ],
)
def test_a_search_finds(text: str, found: list[str]) -> None:
    result = search(ROWS, text)
    assert ([row.name for row in result.rows], result.problems) == (found, [])


@pytest.mark.parametrize(
    ("text", "found", "word"),
    [
        ("colour=blue", ["alpha", "beta-two", "gamma", "both", "delta"], "No run has “colour”"),
        ("colour=blue alpha", ["alpha"], "No run has “colour”"),
        ("beta>high", ["alpha", "beta-two", "gamma", "both", "delta"], "not a number"),
        ("lr=abc", ["alpha", "beta-two", "gamma", "both", "delta"], "not a number"),
        ("status:nope alpha", ["alpha"], "No status is called “nope”"),
        ("status!=nope alpha", ["alpha"], "No status is called “nope”"),
        ("margin>1 alpha", ["alpha"], "write eval.margin>1 or train.margin>1"),
        ("acc>0.5 alpha", ["alpha"], "write eval.accuracy>0.5 or train.accuracy>0.5"),
        ("lr= alpha", ["alpha"], "no value after ="),
        ("<b>", [], None),
        ("[x](http://y)", [], None),
        ('"', ["alpha", "beta-two", "gamma", "both", "delta"], None),
        (":smile:", [], None),
        ("=", [], None),
    ],
)
def test_a_term_that_means_nothing_gets_one_sentence_and_hides_nothing(text: str, found: list[str], word: str | None) -> None:
    result = search(ROWS, text)
    assert [row.name for row in result.rows] == found
    assert len(result.problems) == (word is not None)
    assert word is None or word in result.problems[0]


def test_without_runs_no_term_is_wrong() -> None:
    assert search([], "colour=blue").problems == []
