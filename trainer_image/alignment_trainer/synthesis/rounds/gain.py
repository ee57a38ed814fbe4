"""Decides from a judge's verdicts when further rounds train on noise, and which round's model is the stage's; pure."""

from collections.abc import Mapping, Sequence

from alignment_api.results.evaluation import Estimate

from alignment_trainer.judging.statistics import exceeds, paired_difference, win_rate

Outcomes = Mapping[str, float]
"""By question: 1 where the round's student won against the start of the stage in both orders, 0 where it lost, 0.5 else."""

_LEVEL = 0.5
"""What the start of the stage has against itself."""


def rate(outcomes: Outcomes) -> Estimate:
    """Return the share of questions that the student won against the start of the stage, with its standard error."""
    return win_rate(outcomes.values())


def gain(rounds: Sequence[Outcomes]) -> Estimate:
    """Return what the last round gained: question by question its outcome less that of the round before.

    Before the first round the student is the start itself, which has 0.5 on each question.
    """
    last = rounds[-1]
    return paired_difference(last, rounds[-2] if len(rounds) > 1 else dict.fromkeys(last, _LEVEL))


def is_without_gain(rounds: Sequence[Outcomes]) -> bool:
    """Return whether the last round's gain is within one standard error of the paired differences."""
    return not exceeds(gain(rounds))


def best_round(rounds: Sequence[Outcomes]) -> int:
    """Return the number of the round with the highest win rate; of equal ones the earliest."""
    rates = [rate(outcomes).value or 0.0 for outcomes in rounds]
    return rates.index(max(rates)) + 1
