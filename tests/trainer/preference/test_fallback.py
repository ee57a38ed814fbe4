"""A model that cannot be packed trains with padding, on two processes, and all its metrics are the same."""

import json
import shutil

import pytest
from alignment_api import metrics
from safetensors.torch import load_file

SAME = [
    metrics.LOSS,
    metrics.GRADIENT_NORM,
    metrics.ENTROPY,
    metrics.TOKEN_ACCURACY,
    metrics.PAIRS,
    metrics.REWARD_CHOSEN,
    metrics.REWARD_REJECTED,
    metrics.REWARD_MARGIN,
    metrics.LOGPS_CHOSEN,
    metrics.LOGPS_REJECTED,
    metrics.LOGITS_CHOSEN,
    metrics.LOGITS_REJECTED,
    metrics.KL,
    metrics.EVALUATION_LOSS,
    metrics.EVALUATION_LOGPS_CHOSEN,
    metrics.EVALUATION_LOGPS_REJECTED,
    metrics.EVALUATION_ENTROPY,
    metrics.EVALUATION_TOKEN_ACCURACY,
    metrics.EVALUATION_PAIRS,
]


LINE = "spec.stages[1].dpo.batching: pairs are padded, since its sliding window is 127 tokens, and maxLength is 128"


@pytest.fixture(scope="module")
def padded(finished, tmp_path_factory, trainer):
    """The stage and the output of two processes, whose model sees one token too little of the longest rows, and would drop."""
    root = tmp_path_factory.mktemp("padded")
    for folder in ("inputs", "job"):
        shutil.copytree(finished / folder, root / folder)
    shutil.rmtree(root / "job" / "dpo")
    written = root / "job" / "sft" / "model" / "config.json"
    changed = {**json.loads(written.read_text()), "sliding_window": 127, "attention_dropout": 0.5}
    written.write_text(json.dumps(changed))
    result = trainer.train(trainer.config(root, "dpo"), root)
    assert result.code == 0, result.output
    return root / "job" / "dpo", result.output


def test_metrics_and_weights_are_the_same(finished, padded, trainer):
    packed, (stage, _) = finished / "job" / "dpo", padded
    for name in SAME:
        expected = trainer.values(packed, name)
        assert expected, name
        assert trainer.values(stage, name) == pytest.approx(expected, rel=5e-5, abs=5e-6), name
    weights, expected = (load_file(each / "model" / "model.safetensors") for each in (stage, packed))
    assert max(float((weights[name] - expected[name]).abs().max()) for name in expected) < 1e-5


def test_padding_computes_a_prompt_twice(finished, padded, trainer):
    tokens = [trainer.values(stage, metrics.TOKENS) for stage in (finished / "job" / "dpo", padded[0])]
    assert all(tokens[1][step] > few for step, few in tokens[0].items())


def test_the_log_says_why_pairs_are_padded(padded):
    assert LINE in padded[1].splitlines()


def test_only_one_process_says_so(padded):
    assert padded[1].splitlines().count(LINE) == 1
