"""Means per token over texts of different lengths, with their errors; pure."""

import math
from collections.abc import Sequence

import numpy as np
from alignment_api.results.evaluation import Estimate

_NINETY_FIVE = 1.96
_LARGEST_LOSS = 700
"""The exponential of a larger one is no number of a computer."""


def per_token(sums: Sequence[float], tokens: Sequence[int]) -> Estimate:
    """Return the sum of all rows over all their tokens; tokens of one row are not independent, so rows are what varies."""
    total, rows = sum(tokens), len(tokens)
    if not total:
        return Estimate(count=0)
    mean = float(sum(sums) / total)
    if rows < 2:
        return Estimate(value=mean, count=rows)
    residuals = np.asarray(sums, dtype=float) - mean * np.asarray(tokens, dtype=float)
    error = float(np.sqrt(rows / (rows - 1) * np.square(residuals).sum()) / total)
    return Estimate(value=mean, error=error, low=mean - _NINETY_FIVE * error, high=mean + _NINETY_FIVE * error, count=rows)


def perplexity(losses: Sequence[float], tokens: Sequence[int]) -> Estimate:
    """Return the perplexity of rows from the sums of their losses; one too large for a number has no value."""
    loss = per_token(losses, tokens)
    if loss.value is None:
        return loss
    if max(loss.value, loss.high or 0.0) > _LARGEST_LOSS:
        return Estimate(count=loss.count)
    value = math.exp(loss.value)
    if loss.error is None or loss.low is None or loss.high is None:
        return Estimate(value=value, count=loss.count)
    return Estimate(value=value, error=value * loss.error, low=math.exp(loss.low), high=math.exp(loss.high), count=loss.count)
