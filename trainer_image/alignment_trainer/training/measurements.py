"""Measures a micro-batch as sums with counts: over tokens for dialogues, over rows for pairs."""

from typing import Any, NamedTuple

import torch

from alignment_trainer.training.exact_means import Measured


def of_dialogues(inputs: dict[str, Any], answer: Any) -> dict[str, Measured]:
    """Measure the tokens that the loss covers."""
    learned = answer.label_mask.sum()
    return {
        "loss": Measured(-answer.log_probs.double().sum(), learned),
        "entropy": Measured(answer.entropy.double().sum(), learned),
        "mean_token_accuracy": Measured(answer.is_top1.double().sum(), learned),
        "tokens": Measured(_tokens(inputs)),
    }


class AnswerSums(NamedTuple):
    """Sums over the tokens of each answer; one row for each pair, the chosen answer first."""

    log_probabilities: torch.Tensor
    statistics: torch.Tensor
    """Entropy, mean logit, and how often the target was the likeliest token; empty where only log-probabilities are wanted."""
    counts: torch.Tensor


def padded_answers(policy: Any) -> AnswerSums:
    """Sum over what TRL's forward returns for each token; the first half of its batch are the chosen answers."""
    statistics = [policy.entropy, policy.mean_logits, policy.is_top1]
    return AnswerSums(
        _by_pairs(policy.log_probs), torch.stack([_by_pairs(each) for each in statistics], dim=2), _by_pairs(policy.label_mask)
    )


def _by_pairs(tokens: torch.Tensor) -> torch.Tensor:
    return torch.stack(tokens.double().sum(dim=1).chunk(2), dim=1)


def of_pairs(inputs: dict[str, Any], answers: AnswerSums, loss: torch.Tensor, beta: float) -> dict[str, Measured]:
    """Measure the answers of pairs; `loss` is the mean over them."""
    moved = answers.log_probabilities - reference_of(inputs)
    rewards = beta * moved
    pairs = torch.tensor(len(moved), device=moved.device)
    means = {
        "loss": loss.double() * pairs,
        "logps/chosen": answers.log_probabilities[:, 0].sum(),
        "logps/rejected": answers.log_probabilities[:, 1].sum(),
        "lengths/chosen": answers.counts[:, 0].sum(),
        "lengths/rejected": answers.counts[:, 1].sum(),
        "rewards/chosen": rewards[:, 0].sum(),
        "rewards/rejected": rewards[:, 1].sum(),
        "rewards/margins": (rewards[:, 0] - rewards[:, 1]).sum(),
        "rewards/accuracies": (rewards[:, 0] > rewards[:, 1]).sum(),
        "kl": moved.sum() / 2,
    }
    return {
        **{name: Measured(total, pairs) for name, total in means.items()},
        **_of_answer_tokens(answers),
        "pairs": Measured(pairs),
        "tokens": Measured(_tokens(inputs)),
    }


def reference_of(inputs: dict[str, Any]) -> torch.Tensor:
    """Return the reference's log-probabilities of each pair's answers."""
    values = [inputs["ref_chosen_logps"], inputs["ref_rejected_logps"]]
    return torch.stack([torch.as_tensor(each, dtype=torch.float64, device=inputs["input_ids"].device) for each in values], dim=1)


def _of_answer_tokens(answers: AnswerSums) -> dict[str, Measured]:
    entropy, logits, correct = answers.statistics.sum(dim=0).unbind(dim=1)
    chosen, rejected = answers.counts.sum(dim=0)
    return {
        "entropy": Measured(entropy.sum(), chosen + rejected),
        "mean_token_accuracy": Measured(correct[0], chosen),
        "logits/chosen": Measured(logits[0], chosen),
        "logits/rejected": Measured(logits[1], rejected),
    }


def _tokens(inputs: dict[str, Any]) -> torch.Tensor:
    # Packed rows have no padding, and therefore no mask.
    if "attention_mask" in inputs:
        mask: torch.Tensor = inputs["attention_mask"]
        return mask.sum()
    ids: torch.Tensor = inputs["input_ids"]
    return torch.tensor(ids.numel(), device=ids.device)
