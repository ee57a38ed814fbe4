"""Estimates a win rate as if both answers were of equal length; pure.

A logistic regression explains the outcome of a comparison by how much longer one answer is. It shrinks the effect of length, and
cross-validation chooses by how much. This is no AlpacaEval LC, which needs instructions and answers that only AlpacaEval has.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from alignment_api.results.evaluation import Estimate
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import norm

from alignment_trainer.judging.statistics import Numbers

SHARE_OF_EACH_SIDE = 0.1
"""With fewer rows on one side, equal length lies outside the data, and the estimate there is a guess: tens of points wrong."""
FEWEST = 20
_PENALTIES = (0.1, 1.0, 10.0, 100.0)
"""Weights of the squared effect, beside the sum of all rows; the lowest keeps it finite where one length always wins."""
_FOLDS = 5
_Prompts = np.ndarray[Any, np.dtype[np.int_]]
"""The number of each row's prompt."""


class Compared(NamedTuple):
    """A comparison of two answers to one prompt."""

    prompt: str
    outcome: float
    """1 if the answer won, 0 if the other one did, 0.5 for a tie."""
    length: float
    other: float
    """The length of the other answer."""


def length_adjusted(rows: Sequence[Compared]) -> Estimate | str:
    """Return the win rate of answers against others as if they were as long, or why the rows do not allow it.

    Rows of one prompt are one observation.
    """
    won = np.array([row.outcome for row in rows], dtype=float)
    longer = np.array([row.length - row.other for row in rows], dtype=float)
    numbers = {prompt: number for number, prompt in enumerate(dict.fromkeys(row.prompt for row in rows))}
    prompts = np.array([numbers[row.prompt] for row in rows], dtype=int)
    refusal = _refusal(len(numbers), won, longer)
    if refusal:
        return refusal
    effect = np.tanh(longer / longer.std())
    design = np.column_stack([np.ones_like(effect), effect])
    penalty = min(_PENALTIES, key=lambda weight: _loss_of_held_out(design, won, prompts, weight))
    fitted = _fit(design, won, penalty)
    logit, deviation = fitted[0], _sandwich(design, won, prompts, fitted, penalty)[0, 0] ** 0.5
    # On the scale of the logit, so that the interval stays between 0 and 1.
    reach = norm.ppf(0.975) * deviation
    value, low, high = map(float, expit([logit, logit - reach, logit + reach]))
    return Estimate(value=value, error=float(value * (1 - value) * deviation), low=low, high=high, count=len(numbers))


def _refusal(prompts: int, won: Numbers, longer: Numbers) -> str:
    if prompts < FEWEST:
        return f"answers to {prompts} prompts are compared, and it needs {FEWEST}"
    shorter_share, longer_share = float((longer < 0).mean()), float((longer > 0).mean())
    if min(shorter_share, longer_share) < SHARE_OF_EACH_SIDE:
        return (
            f"{100 * longer_share:.0f} % of the answers are longer than those they are compared with and "
            f"{100 * shorter_share:.0f} % shorter, and it needs {100 * SHARE_OF_EACH_SIDE:.0f} % of each"
        )
    return "all rows have the same outcome" if won.min() == won.max() else ""


def _fit(design: Numbers, won: Numbers, penalty: float) -> Numbers:
    weights = np.array([0.0, penalty])

    def loss(coefficients: Numbers) -> tuple[float, Numbers]:
        logits = design @ coefficients
        value = np.logaddexp(0, logits).sum() - won @ logits + weights @ coefficients**2 / 2
        return float(value), design.T @ (expit(logits) - won) + weights * coefficients

    def curvature(coefficients: Numbers) -> Numbers:
        return _hessian(design, coefficients, penalty)

    found: Numbers = minimize(loss, np.zeros(2), jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-10}).x
    return found


def _loss_of_held_out(design: Numbers, won: Numbers, prompts: _Prompts, penalty: float) -> float:
    """Return how badly the rows of each fold are foretold by the others, which have none of its prompts."""
    fold = prompts % _FOLDS
    total = 0.0
    for held_out in range(_FOLDS):
        is_seen = fold != held_out
        if won[is_seen].min() == won[is_seen].max():
            continue
        logits = design[~is_seen] @ _fit(design[is_seen], won[is_seen], penalty)
        total += float((np.logaddexp(0, logits) - won[~is_seen] * logits).sum())
    return total


def _hessian(design: Numbers, coefficients: Numbers, penalty: float) -> Numbers:
    chance = expit(design @ coefficients)
    found: Numbers = (design * (chance * (1 - chance))[:, None]).T @ design + np.diag([0.0, penalty])
    return found


def _sandwich(design: Numbers, won: Numbers, prompts: _Prompts, coefficients: Numbers, penalty: float) -> Numbers:
    """Return the covariance of the coefficients, which holds even if the curve is not quite logistic."""
    bread = np.linalg.inv(_hessian(design, coefficients, penalty))
    scores = design * (won - expit(design @ coefficients))[:, None]
    of_prompts = np.zeros((prompts.max() + 1, scores.shape[1]))
    np.add.at(of_prompts, prompts, scores)
    found: Numbers = bread @ of_prompts.T @ of_prompts @ bread
    return found
