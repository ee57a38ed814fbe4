"""When a loss has left the rails for good: a rule on numbers alone."""

from collections import deque

SMOOTHED_OVER = 20
"""Steps whose mean is looked at: a single batch tells little, least of all with DPO."""

PATIENCE = 50
"""Steps for which that mean must stay too high: the spikes of a warm-up are over sooner."""


class LossWatch:
    """Follows the loss of one stage from its first step.

    Too high is above its beginning by more than the lowest it ever was: where nothing was learned yet, that is twice the
    beginning, and where the loss came near 0, the beginning itself. Noise around a beginning or a relapse does not get there.
    """

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=SMOOTHED_OVER)
        self._beginning: float | None = None
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
        if self._beginning is None:
            self._beginning = self._lowest = self.smoothed
        self._lowest = min(self._lowest, self.smoothed)
        # Some losses of pairs fall below 0.
        self.limit = self._beginning + max(self._lowest, 0.0)
        self.steps_too_high = self.steps_too_high + 1 if self.smoothed > self.limit else 0

    @property
    def has_diverged(self) -> bool:
        """Say whether it is time to stop."""
        return self.steps_too_high >= PATIENCE
