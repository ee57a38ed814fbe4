"""What the training of a stage shows to be questionable, and its spec alone does not; pure."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from alignment_api import metrics
from alignment_api.journal import Point
from alignment_api.problems import Problem, stage_path
from alignment_api.resolving.usual_values import rate_remark
from alignment_api.resolving.warnings import holdout_remark, spec_warnings, warmup_remark
from alignment_api.run_config import RunConfig
from alignment_api.spec.stages import TrainingSettings

_MOST_UNENDED = 0.05
_MEAN_OVER = 20
"""Steps in a mean of the training loss, but at most a quarter of all: the loss of one batch is noisy."""
_NOISE = 0.01
"""A loss that ends higher by a smaller share than this has not moved."""


class Rows(NamedTuple):
    """How many rows a stage trains on and holds out, and how many of both have lost the end of an answer."""

    trained: int
    held_out: int
    unended: int


def warnings_at_start(config: RunConfig, steps: int, parameters: int, rows: Rows) -> list[Problem]:
    """List what rows and model show, before the first step; what the spec alone shows is in its own warnings."""
    settings, path = config.stage.training, _path(config)
    if settings is None:
        return []
    remarks = {
        f"{path}.optimization.warmup": warmup_remark(settings, steps),
        f"{path}.optimization.learningRate": rate_remark(settings, parameters),
        f"{path}.holdout": holdout_remark(rows.held_out) if settings.holdout else None,
        f"{path}.maxLength": _cut_remark(settings, rows),
    }
    known = {warning.path for warning in spec_warnings(config.spec)}
    return [Problem(field, sentence) for field, sentence in remarks.items() if sentence and field not in known]


def warnings_at_end(config: RunConfig, points: Iterable[Point]) -> list[Problem]:
    """List what the losses of a stage that has trained all of its steps show."""
    trained: list[float] = []
    held_out: list[float] = []
    for point in points:
        for name, losses in ((metrics.LOSS, trained), (metrics.EVALUATION_LOSS, held_out)):
            if name in point.metrics:
                losses.append(point.metrics[name])
    return [Problem(f"{_path(config)}.optimization", sentence) for sentence in _loss_remarks(trained, held_out)]


def _cut_remark(settings: TrainingSettings, rows: Rows) -> str | None:
    used = rows.trained + rows.held_out
    if rows.unended <= _MOST_UNENDED * used:
        return None
    share = f"{rows.unended} of {used} rows ({rows.unended / used:.0%})"
    return (
        f"in {share} an answer is cut off at {settings.max_length} tokens, so the model does not learn to end it; raise maxLength"
    )


def _loss_remarks(trained: list[float], held_out: list[float]) -> Iterator[str]:
    steps = min(_MEAN_OVER, len(trained) // 4)
    if steps and (rise := _rise(sum(trained[:steps]) / steps, sum(trained[-steps:]) / steps)):
        over = f" (means of {steps} steps)" if steps > 1 else ""
        yield f"the training loss ended at {rise}{over}; lower learningRate, or check the rows"
    if len(held_out) > 1 and (rise := _rise(held_out[0], held_out[-1])):
        yield f"the held-out loss ended at {rise}, so held-out rows became less likely; lower learningRate or epochs"


def _rise(first: float, last: float) -> str | None:
    """Return the last loss and the first, in words; None if the loss has not risen."""
    return f"{last:.4g}, above its start of {first:.4g}" if last - first > _NOISE * abs(first) else None


def _path(config: RunConfig) -> str:
    return stage_path(config.stage_index, config.stage.kind)
