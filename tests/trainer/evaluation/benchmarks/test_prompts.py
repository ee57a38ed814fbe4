"""What the model is asked is what the official files of lm-eval ask: as golden files say it, and lm-eval itself."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from benchmark_program import EXAMPLES

GOLDEN = json.loads((Path(__file__).parent / "golden.json").read_text())
"""Made with lm-eval 0.4.13 by its own `simple_evaluate` from the rows of tests/benchmark_rows.py: the requests of each first
row, and a hash of all requests."""


@pytest.fixture(scope="module")
def prompts(measured):
    return json.loads((measured / "prompts.json").read_text())


def hashed(requests):
    return sha256(json.dumps(requests, sort_keys=True).encode()).hexdigest()


@pytest.mark.parametrize("name", EXAMPLES)
def test_prompts_equal_the_golden_ones(prompts, name):
    assert prompts[name][f"{name}/0"] == GOLDEN[name]["first"]
    assert hashed(prompts[name]) == GOLDEN[name]["all"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_prompts_equal_those_of_lm_eval_itself(prompts, official, name):
    for sample in official["samples"][name]:
        assert prompts[name][f"{name}/{sample['doc_id']}"] == sample["arguments"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_row_shows_its_own_answer(prompts, official, name):
    for sample in official["samples"][name]:
        question = sample["doc"].get("question") or sample["doc"].get("query")
        if question:
            assert prompts[name][f"{name}/{sample['doc_id']}"][0][0].count(question.strip()) == 1
