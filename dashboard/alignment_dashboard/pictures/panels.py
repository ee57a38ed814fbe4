"""Which charts each kind of stage has, and which lines each chart has."""

from typing import NamedTuple

from alignment_api.metrics import (
    EVALUATION_KL,
    EVALUATION_LOSS,
    EVALUATION_REWARD_ACCURACY,
    EVALUATION_REWARD_MARGIN,
    GRADIENT_NORM,
    KL,
    LENGTH_CHOSEN,
    LENGTH_REJECTED,
    LOSS,
    REWARD_ACCURACY,
    REWARD_CHOSEN,
    REWARD_MARGIN,
    REWARD_REJECTED,
    TOKENS_PER_SECOND,
)


class Line(NamedTuple):
    """One metric of a chart: drawn through all points, or with each point marked where it is an evaluation."""

    metric: str
    name: str
    evaluation: bool = False


class Chart(NamedTuple):
    """A title and the lines under it."""

    title: str
    lines: tuple[Line, ...]
    bounds: tuple[float, float] | None = None
    """The lowest and highest value of the y axis; without them the axis follows the points."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the names of the metrics that the chart needs."""
        return tuple(line.metric for line in self.lines)


LOSS_CHART = Chart("Loss", (Line(LOSS, "training"), Line(EVALUATION_LOSS, "holdout", evaluation=True)))
COMMON_CHARTS = (
    Chart("Gradient norm", (Line(GRADIENT_NORM, "training"),)),
    Chart("Tokens per second", (Line(TOKENS_PER_SECOND, "training"),)),
)
PREFERENCE_CHARTS = (
    LOSS_CHART,
    Chart("Reward margin", (Line(REWARD_MARGIN, "training"), Line(EVALUATION_REWARD_MARGIN, "holdout", evaluation=True))),
    Chart(
        "Reward accuracy",
        (Line(REWARD_ACCURACY, "training"), Line(EVALUATION_REWARD_ACCURACY, "holdout", evaluation=True)),
        bounds=(0, 1),
    ),
    Chart("Rewards of chosen and rejected answers", (Line(REWARD_CHOSEN, "chosen"), Line(REWARD_REJECTED, "rejected"))),
    Chart("Tokens of chosen and rejected answers", (Line(LENGTH_CHOSEN, "chosen"), Line(LENGTH_REJECTED, "rejected"))),
    Chart("Policy against reference (KL)", (Line(KL, "training"), Line(EVALUATION_KL, "holdout", evaluation=True))),
    *COMMON_CHARTS,
)
CHARTS: dict[str, tuple[Chart, ...]] = {
    "sft": (LOSS_CHART, *COMMON_CHARTS),
    "dpo": PREFERENCE_CHARTS,
    "dpo_distillation": PREFERENCE_CHARTS,
}
"""The charts of each kind of stage, in the order of the page."""


def charts_of(kind: str) -> tuple[Chart, ...]:
    """Return the charts of a kind; a kind that is not in the table has none."""
    return CHARTS.get(kind, ())
