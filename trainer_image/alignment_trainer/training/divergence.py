"""Decides from the losses alone whether training has diverged."""

from collections import deque

SMOOTHED_OVER = 20
"""Steps in the smoothed loss: the loss of a single batch is too noisy, above all with DPO."""

PATIENCE = 50
"""Steps for which the smoothed loss must stay too high: spikes during warm-up are over sooner."""


class LossWatch:
    """Follows the loss of one stage from its first step.

    Diverged means: smoothed loss > initial loss + max(lowest loss, 0) for PATIENCE steps. Where nothing was learned yet, the
    limit is twice the initial loss; where the loss came near 0, it is the initial loss. Noise around the initial loss, or a
    relapse to it, stays below the limit.
    """

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=SMOOTHED_OVER)
        self._initial: float | None = None
        self._lowest = 0.0
        self.limit: float | None = None
        self.smoothed: float | None = None
        self.steps_too_high = 0

    def add(self, loss: float) -> None:
        """Take the loss of the next step."""
        self._recent.append(loss)
        if len(self._recent) < SMOOTHED_OVER:
            return
        self.smoothed = sum(self._recent) / SMOOTHED_OVER
        if self._initial is None:
            self._initial = self._lowest = self.smoothed
        self._lowest = min(self._lowest, self.smoothed)
        # Some preference losses fall below 0.
        self.limit = self._initial + max(self._lowest, 0.0)
        self.steps_too_high = self.steps_too_high + 1 if self.smoothed > self.limit else 0

    @property
    def has_diverged(self) -> bool:
        """Return whether training should stop."""
        return self.steps_too_high >= PATIENCE
