"""The panels of each kind of stage: which metrics tell how its training goes, and how they are drawn."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from alignment_api.metrics import (
    ANSWER_TOKENS,
    ANSWER_TOKENS_PER_SECOND,
    COST,
    ENTROPY,
    EVALUATION_ENTROPY,
    EVALUATION_KL,
    EVALUATION_LOSS,
    EVALUATION_REWARD_ACCURACY,
    EVALUATION_REWARD_CHOSEN,
    EVALUATION_REWARD_MARGIN,
    EVALUATION_REWARD_REJECTED,
    EVALUATION_TOKEN_ACCURACY,
    GRADIENT_NORM,
    KEPT_ANSWERS,
    KL,
    LEARNING_RATE,
    LOSS,
    POSSIBLY_PAID,
    PROMPT_TOKENS,
    REQUESTS,
    REWARD_ACCURACY,
    REWARD_CHOSEN,
    REWARD_MARGIN,
    REWARD_REJECTED,
    ROUND_WIN_RATE,
    ROWS_LEFT_OUT,
    ROWS_WRITTEN,
    TOKEN_ACCURACY,
    TOKENS_PER_SECOND,
    UNANSWERED,
)

from alignment_dashboard.store.history import Histories, History

TRAINING, HOLDOUT = "training", "holdout"
CHOSEN, REJECTED = "chosen", "rejected"
MEASURED, WRITTEN, LEFT_OUT, SENT, NOT_ANSWERED = "measured", "written", "left out", "sent", "unanswered"
OF_PROMPTS, OF_ANSWERS, REUSED, PERHAPS_PAID = "of prompts", "of answers", "kept from before", "possibly paid for nothing"


SECOND = (REJECTED, LEFT_OUT, NOT_ANSWERED, OF_ANSWERS, PERHAPS_PAID)
"""The roles that are drawn beside another one, and are dotted where the colour says which run it is."""


class Line(NamedTuple):
    """One metric of a panel: a line through all its points, or marked points where it is an evaluation."""

    metric: str
    role: str
    evaluation: bool = False
    exact: bool = False
    """Whether the values are planned or counted, so that there is no noise to smooth."""

    @property
    def label(self) -> str:
        """Return the role; one that is measured in training too says where it was evaluated."""
        return f"{self.role} on holdout" if self.evaluation and self.role != HOLDOUT else self.role


class Mark(NamedTuple):
    """A horizontal line at a value that a reader compares with."""

    value: float
    name: str


class Panel(NamedTuple):
    """A title and the lines under it."""

    title: str
    lines: tuple[Line, ...]
    mark: Mark | None = None
    bounds: tuple[float, float] | None = None
    """The lowest and highest value of the y axis; without them the axis follows the points."""
    positive: bool = False
    """Whether all values are above 0, so that the panel can have a logarithmic axis."""
    optional: bool = False
    """Whether the panel is left out where nothing was logged for it, or only counts of 0."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Return the names of the metrics that the panel needs."""
        return tuple(line.metric for line in self.lines)


def _pair(training: str, evaluation: str) -> tuple[Line, Line]:
    return Line(training, TRAINING), Line(evaluation, HOLDOUT, evaluation=True)


GRADIENTS = Panel("Gradient norm", (Line(GRADIENT_NORM, TRAINING),), positive=True)
SFT = (
    Panel("Loss", _pair(LOSS, EVALUATION_LOSS), positive=True),
    Panel("Token accuracy", _pair(TOKEN_ACCURACY, EVALUATION_TOKEN_ACCURACY)),
    Panel("Entropy", _pair(ENTROPY, EVALUATION_ENTROPY), positive=True),
    Panel("Learning rate", (Line(LEARNING_RATE, TRAINING, exact=True),)),
    GRADIENTS,
    Panel("Tokens per second", (Line(TOKENS_PER_SECOND, TRAINING),), positive=True),
)
PREFERENCE = (
    # A policy that equals its reference has the sigmoid loss ln 2, and is as often right as wrong.
    Panel("Loss", _pair(LOSS, EVALUATION_LOSS), mark=Mark(math.log(2), "ln 2"), positive=True),
    Panel("Reward margin", _pair(REWARD_MARGIN, EVALUATION_REWARD_MARGIN)),
    Panel("Reward accuracy", _pair(REWARD_ACCURACY, EVALUATION_REWARD_ACCURACY), mark=Mark(0.5, "chance"), bounds=(0, 1)),
    Panel(
        "Rewards of chosen and rejected",
        (
            Line(REWARD_CHOSEN, CHOSEN),
            Line(REWARD_REJECTED, REJECTED),
            Line(EVALUATION_REWARD_CHOSEN, CHOSEN, evaluation=True),
            Line(EVALUATION_REWARD_REJECTED, REJECTED, evaluation=True),
        ),
    ),
    # Not called KL: over the answers of the data, instead of the policy's own, it can be negative.
    Panel("Log-ratio of policy and reference", _pair(KL, EVALUATION_KL), mark=Mark(0, "")),
    GRADIENTS,
)
ROUNDS = Panel(
    "Win rate of each round against the start",
    (Line(ROUND_WIN_RATE, HOLDOUT, evaluation=True),),
    mark=Mark(0.5, "no gain"),
    bounds=(0, 1),
    optional=True,
)
ROWS = (
    Panel("Rows", (Line(ROWS_WRITTEN, WRITTEN, exact=True), Line(ROWS_LEFT_OUT, LEFT_OUT, exact=True))),
    # A stage may ask no server, as one whose answers were judged before, or one that has no price.
    Panel("Requests", (Line(REQUESTS, SENT, exact=True), Line(UNANSWERED, NOT_ANSWERED, exact=True)), optional=True),
    Panel("Answer tokens per second", (Line(ANSWER_TOKENS_PER_SECOND, MEASURED),), positive=True, optional=True),
    Panel("Tokens", (Line(PROMPT_TOKENS, OF_PROMPTS, exact=True), Line(ANSWER_TOKENS, OF_ANSWERS, exact=True)), optional=True),
    Panel("Cost", (Line(COST, MEASURED, exact=True),), optional=True),
    Panel(
        "Kept and lost answers",
        (Line(KEPT_ANSWERS, REUSED, exact=True), Line(POSSIBLY_PAID, PERHAPS_PAID, exact=True)),
        optional=True,
    ),
)
PANELS: dict[str, tuple[Panel, ...]] = {
    "distill": ROWS,
    "feedback": ROWS,
    "sft": SFT,
    "dpo": PREFERENCE,
    "dpo_distillation": (*PREFERENCE, ROUNDS),
}
"""The panels of each kind of stage, in the order of the page: three in a row."""

EXACT = {line.metric for panels in PANELS.values() for panel in panels for line in panel.lines if line.exact}
"""The metrics that are planned or counted."""


def panels_of(kind: str) -> tuple[Panel, ...]:
    """Return the panels of a kind; a kind that is not in the table has none."""
    return PANELS.get(kind, ())


def with_points(panels: Sequence[Panel], histories: Sequence[Histories]) -> tuple[Panel, ...]:
    """Return the panels without the optional ones for which no run has a point."""
    return tuple(
        panel
        for panel in panels
        if not panel.optional
        or any(_has_points(line, run[line.metric]) for run in histories for line in panel.lines if line.metric in run)
    )


def _has_points(line: Line, history: History) -> bool:
    """Return whether there is something to see: a count that stays 0 says that nothing happened."""
    return len(history.steps) > 0 and (line.evaluation or bool(history.values.any()))


def metrics_of(panels: tuple[Panel, ...]) -> tuple[str, ...]:
    """Return the names of the metrics that panels need, each once."""
    return tuple(dict.fromkeys(metric for panel in panels for metric in panel.metrics))
