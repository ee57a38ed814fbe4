"""Each loss equals TRL's: TRL's trainer computes it from pairs, and ours from the log-probabilities of that run."""

import pytest
import torch
from alignment_trainer.preference.losses import Moves, Objective, pair_losses
from alignment_trainer.preference.padded import _LOSSES
from alignment_trainer.training.measurements import reference_of

OBJECTIVES = [
    Objective("Sigmoid", 0.1, 0.0),
    Objective("Sigmoid", 2.5, 0.0),
    Objective("Hinge", 0.1, 0.0),
    Objective("Hinge", 0.5, 0.0),
    Objective("Robust", 0.1, 0.0),
    Objective("Robust", 0.3, 0.1),
    Objective("Robust", 0.1, 0.45),
    Objective("IPO", 0.1, 0.0),
    Objective("IPO", 1.5, 0.0),
    Objective("APOZero", 0.1, 0.0),
    Objective("APOZero", 0.7, 0.0),
    Objective("APODown", 0.1, 0.0),
    Objective("APODown", 0.7, 0.0),
]
SEGMENTS = [(4, 6, 3), (2, 1, 1), (0, 5, 4), (1, 1, 9), (7, 3, 3), (0, 1, 2)]


@pytest.fixture
def asked(preference):
    """Return TRL's loss of each pair, the log-probabilities it comes from, and its derivative by each answer."""

    def ask(objective):
        pairs = preference.pairs_of(*SEGMENTS)
        padded = preference.padded(preference.tiny("llama").double(), objective)
        said = []
        padded.model.register_forward_hook(lambda _model, _inputs, output: said.append(output))
        with torch.no_grad():
            before = preference.alone(preference.exact(preference.tiny("llama")), pairs)
        torch.manual_seed(3)
        # Not from a collator, which would round the reference's values to 32 bit.
        moved = before - 4 * torch.randn(len(pairs), 2, dtype=torch.float64)
        for pair, reference in zip(pairs, moved, strict=True):
            inputs = padded.data_collator([pair])
            inputs |= {"ref_chosen_logps": reference[:1], "ref_rejected_logps": reference[1:]}
            loss = padded.compute_loss(padded.model, inputs)
            (changes,) = torch.autograd.grad(loss, said[-1].log_probs)
            # As TRL sums it up, in 32 bit: the losses are compared here, not the sums.
            answers = torch.stack(said[-1].log_probs.sum(dim=1).double().chunk(2), dim=1)
            lengths = inputs["completion_mask"].sum(dim=1)[None]
            yield loss.detach(), changes, inputs, answers, lengths, said[-1].label_mask

    return ask


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
def test_losses_and_derivatives_equal_trls(asked, objective):
    for loss, changes, inputs, answers, lengths, learned in asked(objective):
        said = answers.detach().requires_grad_()
        ours = pair_losses(Moves(said - reference_of(inputs), lengths), *objective)
        assert ours.shape == (1,)
        torch.testing.assert_close(ours[0].detach(), loss.double(), rtol=1e-12, atol=1e-12)
        (scales,) = torch.autograd.grad(ours.sum(), said)
        # Each token's log-probability changes the loss as much as the sum of its answer does.
        expected = torch.where(learned, scales.T, 0.0)
        torch.testing.assert_close(expected, torch.where(learned, changes.double(), 0.0), rtol=1e-6, atol=1e-7)


def test_every_loss_is_tested():
    assert {objective.loss for objective in OBJECTIVES} == set(_LOSSES)


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match="unknown loss Nothing"):
        pair_losses(Moves(torch.zeros(1, 2), torch.ones(1, 2)), "Nothing", 0.1, 0.0)


@pytest.mark.parametrize("loss", _LOSSES)
def test_far_from_the_reference_losses_stay_finite(loss):
    far = torch.tensor([[3e4, -3e4], [-3e4, 3e4]], dtype=torch.float64, requires_grad=True)
    losses = pair_losses(Moves(far, torch.ones(2, 2)), loss, 0.5, 0.1)
    assert losses.isfinite().all()
    assert torch.autograd.grad(losses.sum(), far)[0].isfinite().all()
