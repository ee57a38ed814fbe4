"""What a resolved job sets that it can run with, but probably does not mean; each with its field and a sentence; pure."""

import math
from collections.abc import Iterator

from alignment_api.memory.known_sizes import known_base_shape
from alignment_api.problems import Problem, stage_path
from alignment_api.resolving.asking_warnings import asking_warnings
from alignment_api.resolving.usual_values import beta_remark, rate_remark
from alignment_api.spec.data import Dataset
from alignment_api.spec.job import AlignmentJobSpec
from alignment_api.spec.optimization import Optimization
from alignment_api.spec.stages import PreferenceSettings, Stage, TrainingSettings

FEWEST_HELD_OUT = 20
"""With fewer rows a held-out mean says more about these rows than about the model."""


def spec_warnings(spec: AlignmentJobSpec) -> list[Problem]:
    """List what is questionable in a resolved spec, as far as the spec alone shows it."""
    shape = known_base_shape(spec)
    parameters = shape.parameters if shape else None
    return [warning for index, stage in enumerate(spec.stages or []) for warning in _of_stage(stage, index, parameters)]


def _of_stage(stage: Stage, index: int, parameters: int | None) -> Iterator[Problem]:
    path = stage_path(index, stage.kind)
    if stage.training:
        yield from _of_training(stage.training, path, parameters)
    yield from asking_warnings(stage, path)


def _of_training(settings: TrainingSettings, path: str, parameters: int | None) -> Iterator[Problem]:
    remarks = {
        f"{path}.optimization.warmup": warmup_remark(settings, most_steps(settings), "at most "),
        f"{path}.optimization.learningRate": rate_remark(settings, parameters),
        f"{path}.holdout": holdout_remark(settings.holdout.examples if settings.holdout else None),
    }
    if isinstance(settings, PreferenceSettings):
        remarks[f"{path}.adapter.lora.dropout"] = _dropout_remark(settings)
        remarks[f"{path}.beta"] = beta_remark(settings)
    yield from (Problem(field, sentence) for field, sentence in remarks.items() if sentence)


def warmup_remark(settings: TrainingSettings, steps: int | None, at_most: str = "") -> str | None:
    """Return in words that the warm-up does not end before the training, whose steps may be unknown; None if it does."""
    optimization = settings.optimization
    if optimization is None or optimization.warmup is None or optimization.learning_rate is None:
        return None
    warmup, consequence = optimization.warmup, f"so the learning rate never reaches {optimization.learning_rate:g}"
    if steps is None:
        return f"the warm-up takes the whole training, {consequence}; shorten the warm-up" if warmup.fraction == 1 else None
    # As transformers counts them. The first step has the rate 0, so the last one is below the full rate if all steps are warm-up.
    warm = warmup.steps or math.ceil((warmup.fraction or 0) * steps)
    if warm < steps:
        return None
    lengths = f"the warm-up takes {_counted(warm, 'step')} and the training {at_most}{_counted(steps, 'step')}"
    return f"{lengths}, {consequence}; shorten the warm-up, or train longer"


def holdout_remark(rows: int | None) -> str | None:
    """Return in words that so few rows are held out that their metrics show little; None if they suffice or are unknown."""
    if rows is None or rows >= FEWEST_HELD_OUT:
        return None
    held_out = "1 row is" if rows == 1 else f"{rows} rows are"
    return f"{held_out} held out, so chance decides the held-out metrics; hold out at least {FEWEST_HELD_OUT}"


def _dropout_remark(settings: PreferenceSettings) -> str | None:
    dropout = settings.adapter.lora.dropout if settings.adapter and settings.adapter.lora else None
    if not dropout:
        return None
    return f"{dropout:g} has no effect: policy and reference are compared without dropout; set it to 0"


def most_steps(settings: TrainingSettings) -> int | None:
    """Return how many steps a stage can have at most; None if the spec does not limit its rows."""
    optimization = settings.optimization or Optimization()
    if optimization.max_steps is not None:
        return optimization.max_steps
    rows, batch = _most_rows(getattr(settings, "datasets", None)), optimization.global_batch_size
    if rows is None or batch is None or optimization.epochs is None:
        return None
    return math.ceil(optimization.epochs * math.ceil(rows / batch))


def _most_rows(datasets: list[Dataset] | None) -> int | None:
    """Return how many rows datasets have at most; None if the spec does not limit each of them."""
    limits = [dataset.max_examples for dataset in datasets or []]
    known = [limit for limit in limits if limit is not None]
    return sum(known) if known and len(known) == len(limits) else None


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
