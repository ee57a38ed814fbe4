"""What is measured of a micro batch, as sums with their counts: over tokens for dialogues, over rows for pairs."""

from typing import Any

import torch

from alignment_trainer.sums import Measured


def of_dialogues(inputs: dict[str, Any], answer: Any) -> dict[str, Measured]:
    """Measure the tokens that are to be learned."""
    learned = answer.label_mask.sum()
    return {
        "loss": Measured(-answer.log_probs.double().sum(), learned),
        "entropy": Measured(answer.entropy.double().sum(), learned),
        "mean_token_accuracy": Measured(answer.is_top1.double().sum(), learned),
        "tokens": Measured(_tokens(inputs)),
    }


def of_pairs(inputs: dict[str, Any], policy: Any, loss: torch.Tensor, beta: float) -> dict[str, Measured]:
    """Measure the answers of pairs; the first half of a batch are the chosen ones, the loss is its mean over pairs."""
    chosen, rejected = _log_probabilities(policy)
    chosen_before, rejected_before = inputs["ref_chosen_logps"].double(), inputs["ref_rejected_logps"].double()
    chosen_reward, rejected_reward = beta * (chosen - chosen_before), beta * (rejected - rejected_before)
    pairs = torch.tensor(len(chosen), device=chosen.device)
    means = {
        "loss": loss.double() * pairs,
        "logps/chosen": chosen.sum(),
        "logps/rejected": rejected.sum(),
        "rewards/chosen": chosen_reward.sum(),
        "rewards/rejected": rejected_reward.sum(),
        "rewards/margins": (chosen_reward - rejected_reward).sum(),
        "rewards/accuracies": (chosen_reward > rejected_reward).sum(),
        "kl": (chosen - chosen_before + rejected - rejected_before).sum() / 2,
    }
    return {
        **{name: Measured(total, pairs) for name, total in means.items()},
        **_of_answer_tokens(policy),
        "pairs": Measured(pairs),
        "tokens": Measured(_tokens(inputs)),
    }


def _log_probabilities(answer: Any) -> tuple[torch.Tensor, ...]:
    return tuple(answer.log_probs.double().sum(dim=1).chunk(2))


def _of_answer_tokens(policy: Any) -> dict[str, Measured]:
    chosen, rejected = policy.label_mask.chunk(2)
    chosen_logits, rejected_logits = policy.mean_logits.double().chunk(2)
    correct = policy.is_top1.chunk(2)[0]
    return {
        "entropy": Measured(policy.entropy.double().sum(), policy.label_mask.sum()),
        "mean_token_accuracy": Measured(correct.double().sum(), chosen.sum()),
        "logits/chosen": Measured(chosen_logits.sum(), chosen.sum()),
        "logits/rejected": Measured(rejected_logits.sum(), rejected.sum()),
    }


def _tokens(inputs: dict[str, Any]) -> torch.Tensor:
    # Rows that are laid one after another have no padding, and no mask that would tell it.
    if "attention_mask" in inputs:
        mask: torch.Tensor = inputs["attention_mask"]
        return mask.sum()
    ids: torch.Tensor = inputs["input_ids"]
    return torch.tensor(ids.numel(), device=ids.device)
