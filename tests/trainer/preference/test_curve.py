"""A whole training run: our trainer, and TRL's with a reference model of its own, have the same loss at each step."""

import copy
from pathlib import Path

import datasets
import pytest
import torch
from alignment_trainer.preference.losses import Objective
from alignment_trainer.preference.padded import _LOSSES
from alignment_trainer.preference.reference import reference_of
from alignment_trainer.preference.trainer import PackedTrainer
from alignment_trainer.settings.training import training_settings
from alignment_trainer.training.dealing import order
from trl import DPOConfig

STEPS, PAIRS_PER_STEP, SEED = 50, 8, 11
OBJECTIVES = [Objective("Sigmoid", 0.1, 0.0), Objective("IPO", 0.5, 0.0)]
OPTIMIZATION = {
    "learning_rate": 5e-3,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 5,
    "weight_decay": 0.01,
    "max_grad_norm": 1.0,
    "max_steps": STEPS,
    "data_seed": SEED,
    "logging_strategy": "no",
}


def lengths(number):
    return 3 + number % 11, 2 + number * 7 % 13, 1 + number * 5 % 17


@pytest.fixture
def pairs(preference):
    """Make pairs that can be learned: chosen answers are even tokens, rejected answers are odd tokens."""
    made = preference.pairs_of(*map(lengths, range(STEPS * PAIRS_PER_STEP)), seed=1)
    parity = {"prompt_ids": None, "chosen_ids": 0, "rejected_ids": 1}
    return [
        {name: ids if parity[name] is None else [token // 2 * 2 + parity[name] for token in ids] for name, ids in pair.items()}
        for pair in made
    ]


@pytest.fixture
def theirs(preference, pairs, tmp_path):
    """Train with TRL, in the order of our epoch, and return the loss of each step."""
    ordered = [pairs[row] for row in order(len(pairs), SEED, 0)]

    class Recorded(preference.padded_class):
        def _get_train_sampler(self, *_):
            return torch.utils.data.SequentialSampler(ordered)

        def training_step(self, *arguments):
            loss = super().training_step(*arguments)
            self.losses.append(loss.item())
            return loss

    def train(model, objective):
        arguments = preference.arguments(tmp_path / "theirs", **OPTIMIZATION)
        own = DPOConfig(
            **arguments,
            max_length=256,
            beta=objective.beta,
            loss_type=[_LOSSES[objective.loss]],
            disable_dropout=True,
            per_device_train_batch_size=PAIRS_PER_STEP,
        )
        trainer = Recorded(
            model=model,
            ref_model=copy.deepcopy(model),
            args=own,
            train_dataset=datasets.Dataset.from_list(ordered),
            processing_class=preference.tokenizer(),
        )
        trainer.losses = []
        trainer.train()
        return torch.tensor(trainer.losses), weights(trainer.model)

    return train


@pytest.fixture
def ours(preference, pairs, trainer, tmp_path):
    """Train with ours, and return the loss of each step."""

    class Recorded(PackedTrainer):
        def training_step(self, *arguments):
            loss = super().training_step(*arguments)
            self.losses.append(loss.item())
            return loss

    def train(model, objective, most_tokens, **changes):
        config = trainer.config(tmp_path, "dpo")
        Path(config.paths.stage).mkdir(parents=True, exist_ok=True)
        settings = training_settings(config)
        packed = Recorded(
            objective=objective,
            reference=reference_of(config, settings, tmp_path, "weights", "template", packs=True),
            most_tokens=most_tokens,
            rows_per_step=PAIRS_PER_STEP,
            model=model,
            args=preference.packed_arguments(**{**OPTIMIZATION, **changes}),
            train_dataset=datasets.Dataset.from_list(pairs, features=FEATURES),
            eval_dataset=None,
        )
        packed.losses = []
        packed.train()
        return torch.tensor(packed.losses), weights(packed.model)

    return train


FEATURES = datasets.Features(
    {name: datasets.List(datasets.Value("int32")) for name in ("prompt_ids", "chosen_ids", "rejected_ids")}
)


def weights(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


# TRL's own curve moves by 2e-7 where it computes two pairs at once instead of eight, and its weights by 1e-7 of their length;
# a loss of 0.69 is held in steps of 6e-8.
NOISE = 1e-6


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_the_loss_curve_is_trls_for_every_packing(preference, ours, theirs, objective):
    expected, trained = theirs(preference.tiny("llama"), objective)
    assert expected[-10:].mean() < 0.3 * expected[0], "something was learned"
    for most_tokens in (10**6, 100):
        losses, weights_made = ours(preference.tiny("llama"), objective, most_tokens)
        assert (losses - expected).abs().max() < NOISE
        assert (weights_made - trained).norm() < NOISE * trained.norm()


def test_another_order_of_pairs_gives_another_curve(preference, ours, theirs, pairs):
    losses, trained = ours(preference.tiny("llama"), OBJECTIVES[0], 10**6)
    other, otherwise_trained = ours(preference.tiny("llama"), OBJECTIVES[0], 10**6, data_seed=SEED + 1)
    assert (losses - other).abs().max() > 1000 * NOISE
    assert (trained - otherwise_trained).norm() > 1000 * NOISE * trained.norm()
