"""The losses of preference pairs, one number a pair, as TRL 1.16 defines them."""

from typing import NamedTuple

import torch
from torch.nn.functional import logsigmoid


class Objective(NamedTuple):
    """The loss and its parameters."""

    loss: str
    beta: float
    label_smoothing: float


class Moves(NamedTuple):
    """Log-ratios of policy to reference, for the chosen and the rejected answer of each pair."""

    log_ratios: torch.Tensor
    lengths: torch.Tensor
    """In tokens."""


def pair_losses(moves: Moves, loss: str, beta: float, label_smoothing: float) -> torch.Tensor:
    """Compute the loss of each pair."""
    chosen, rejected = (beta * moves.log_ratios).unbind(dim=1)
    margins = chosen - rejected
    match loss:
        case "Sigmoid":
            return -logsigmoid(margins)
        case "Hinge":
            return torch.relu(1 - margins)
        case "Robust":
            wrong = label_smoothing
            return (wrong * logsigmoid(-margins) - (1 - wrong) * logsigmoid(margins)) / (1 - 2 * wrong)
        case "IPO":
            # Means over tokens, as the authors of IPO compute them.
            chosen, rejected = (moves.log_ratios / moves.lengths.clamp(min=1)).unbind(dim=1)
            return (chosen - rejected - 1 / (2 * beta)) ** 2
        case "APOZero":
            return 1 - torch.sigmoid(chosen) + torch.sigmoid(rejected)
        case "APODown":
            return torch.sigmoid(chosen) + 1 - torch.sigmoid(margins)
    raise ValueError(f"unknown loss {loss}")
