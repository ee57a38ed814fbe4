"""Sums and counts of micro-batches, with numbers that can be computed by hand."""

from types import SimpleNamespace

import pytest
import torch
from alignment_trainer.training import measurements
from alignment_trainer.training.exact_means import Measured, Sums


def measured(total, over=None):
    return Measured(torch.tensor(float(total)), None if over is None else torch.tensor(over))


@pytest.mark.parametrize(
    ("batches", "found"),
    [
        ([{"loss": measured(6, 2)}, {"loss": measured(3, 1)}], {"loss": 3.0}),
        # A mean of means would be 4.
        ([{"loss": measured(4, 4)}, {"loss": measured(7, 1)}], {"loss": 2.2}),
        ([{"tokens": measured(5)}, {"tokens": measured(6)}], {"tokens": 11.0}),
        ([{"loss": measured(0, 0), "tokens": measured(0)}], {"tokens": 0.0}),
        ([], {}),
    ],
    ids=["two batches", "a short batch", "an amount", "nothing to learn", "no batch"],
)
def test_sums_become_means_and_amounts(batches, found):
    sums = Sums()
    for batch in batches:
        sums.add(batch)
    assert sums.take() == found
    assert sums.take() == {}


def test_a_batch_of_weight_0_adds_only_names():
    sums = Sums()
    sums.add({"loss": measured(9, 1)}, weight=0)
    assert sums.take() == {}
    sums.add({"loss": measured(9, 1)}, weight=0)
    sums.add({"loss": measured(4, 2)})
    assert sums.take() == {"loss": 2.0}


def answers(*log_probs):
    """Two tokens for each answer, the chosen ones first."""
    table = torch.tensor(log_probs)
    return SimpleNamespace(
        log_probs=table,
        label_mask=table != 0,
        entropy=torch.where(table != 0, 0.5, 0.0),
        mean_logits=torch.where(table != 0, 2.0, 0.0),
        is_top1=table > -1,
    )


INPUTS = {"input_ids": torch.ones(4, 5), "attention_mask": torch.tensor([[1, 1, 1, 1, 0]] * 4)}
REFERENCE = {"ref_chosen_logps": torch.tensor([-6.0, -2.0]), "ref_rejected_logps": torch.tensor([-6.0, -2.5])}
POLICY = answers([-2.0, -2.0], [-3.0, 0.0], [-4.0, -4.0], [-1.0, -1.5])


def test_pairs():
    sums = Sums()
    sums.add(measurements.of_pairs({**INPUTS, **REFERENCE}, measurements.padded_answers(POLICY), torch.tensor(0.6), beta=0.1))
    found = sums.take()
    # The first pair has log ratios of 2 and -2, the second of -1 and 0.
    expected = {
        "loss": 0.6,
        "rewards/chosen": 0.05,
        "rewards/rejected": -0.1,
        "rewards/margins": 0.15,
        "rewards/accuracies": 0.5,
        "logps/chosen": -3.5,
        "logps/rejected": -5.25,
        "lengths/chosen": 1.5,
        "lengths/rejected": 2.0,
        "kl": (2 - 2 - 1 + 0) / 2 / 2,
        "logits/chosen": 2.0,
        "entropy": 0.5,
        "pairs": 2.0,
        "tokens": 16.0,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("inputs", "tokens"),
    [(INPUTS, 16.0), ({"input_ids": torch.ones(1, 7)}, 7.0)],
    ids=["padded", "laid one after another"],
)
def test_dialogues(inputs, tokens):
    sums = Sums()
    sums.add(measurements.of_dialogues(inputs, answers([-2.0, -0.5], [-3.5, 0.0])))
    assert sums.take() == {"loss": 2.0, "entropy": 0.5, "mean_token_accuracy": pytest.approx(2 / 3), "tokens": tokens}
