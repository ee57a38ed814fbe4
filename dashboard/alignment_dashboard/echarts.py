"""Turns histories into ECharts options; pure, so that what a chart shows is tested as data."""

import math
from typing import Any, NamedTuple

from alignment_api.metrics import (
    EVALUATION_KL,
    EVALUATION_LOSS,
    EVALUATION_REWARD_ACCURACY,
    EVALUATION_REWARD_MARGIN,
    GRADIENT_NORM,
    KL,
    LOSS,
    REWARD_ACCURACY,
    REWARD_CHOSEN,
    REWARD_MARGIN,
    REWARD_REJECTED,
    TOKENS_PER_SECOND,
)

from alignment_dashboard.data.history import Histories, History, broken, thin

BUCKETS = 400
"""Lowest and highest of each fill the pixels of a chart of half a screen."""


class Line(NamedTuple):
    """One curve of a chart; an evaluation is a few marked points, training a line."""

    metric: str
    name: str
    evaluation: bool = False


class Panel(NamedTuple):
    """One chart: what it is called and which curves it has."""

    title: str
    lines: tuple[Line, ...]
    bounds: tuple[float, float] | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """Name the metrics that the chart is drawn from."""
        return tuple(line.metric for line in self.lines)


LOSS_PANEL = Panel("Loss", (Line(LOSS, "training"), Line(EVALUATION_LOSS, "holdout", evaluation=True)))
COMMON_PANELS = (
    Panel("Gradient norm", (Line(GRADIENT_NORM, "training"),)),
    Panel("Tokens per second", (Line(TOKENS_PER_SECOND, "training"),)),
)
PREFERENCE_PANELS = (
    LOSS_PANEL,
    Panel("Reward margin", (Line(REWARD_MARGIN, "training"), Line(EVALUATION_REWARD_MARGIN, "holdout", evaluation=True))),
    Panel(
        "Reward accuracy",
        (Line(REWARD_ACCURACY, "training"), Line(EVALUATION_REWARD_ACCURACY, "holdout", evaluation=True)),
        bounds=(0, 1),
    ),
    Panel("Rewards of chosen and rejected answers", (Line(REWARD_CHOSEN, "chosen"), Line(REWARD_REJECTED, "rejected"))),
    Panel("Policy against reference (KL)", (Line(KL, "training"), Line(EVALUATION_KL, "holdout", evaluation=True))),
    *COMMON_PANELS,
)
PANELS: dict[str, tuple[Panel, ...]] = {
    "sft": (LOSS_PANEL, *COMMON_PANELS),
    "dpo": PREFERENCE_PANELS,
    "dpo_distillation": PREFERENCE_PANELS,
}
"""The charts of each kind of stage; a kind that is missing here draws none."""


def draw(panel: Panel, histories: Histories, growing: bool) -> dict[str, Any]:
    """Give the ECharts option of one chart; a metric without points has an entry in the legend and no curve."""
    low, high = panel.bounds or (None, None)
    return {
        "animation": False,
        "legend": {"top": 0, "left": 0, "itemWidth": 18},
        "grid": {"left": 8, "right": 16, "top": 36, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "axis", "valueFormatter": "%.4g"},
        "xAxis": {
            "type": "value",
            "min": 0,
            "max": "dataMax",
            "minInterval": 1,
            "axisLabel": {"showMinLabel": False, "showMaxLabel": False},
            "axisPointer": {"label": {"precision": 0}},
        },
        # Each new point resets a zoom, so only a curve that has ended can be zoomed.
        "dataZoom": [] if growing else [{"type": "inside", "filterMode": "none"}],
        "yAxis": {"type": "value", "scale": True, "min": low, "max": high},
        "series": [_series(line, histories.get(line.metric, ())) for line in panel.lines],
    }


def describe(panel: Panel, histories: Histories) -> str:
    """Say in a sentence what a chart shows, for those who do not see it, and what it leaves out."""
    parts = [_describe(line, histories[line.metric]) for line in panel.lines if histories.get(line.metric)]
    return "; ".join(parts) or "no points yet"


def _series(line: Line, history: History) -> dict[str, Any]:
    points = thin(history, BUCKETS)
    return {
        "name": line.name,
        "type": "line",
        "data": [[point.step, point.value if math.isfinite(point.value) else None] for point in points],
        # One point alone makes no line, so it is marked.
        "showSymbol": line.evaluation or len(points) == 1,
        "symbol": "circle",
        "symbolSize": 7,
        "lineStyle": {"width": 1.5, "type": "dashed" if line.evaluation else "solid"},
        "emphasis": {"disabled": True},
    }


def _describe(line: Line, history: History) -> str:
    shown, failed = len(thin(history, BUCKETS)), broken(history)
    count = f"{shown:,} of {len(history):,} points, every peak kept" if shown < len(history) else f"{shown:,} points"
    last = history[-1]
    text = f"{line.name} {last.value:.4g} at step {last.step:,} ({count})"
    return f"{text}, not a number at {len(failed):,} steps from {failed[0].step:,}" if failed else text
