"""The config of one round: a training on pairs in a folder of its own, which starts from the model of the round before."""

from pathlib import Path
from typing import NamedTuple

from alignment_api.names import WORKSPACE_PREFIX
from alignment_api.run_config import RunConfig
from alignment_api.spec.data import Dataset, Holdout
from alignment_api.spec.lineage import digest
from alignment_api.spec.stages import DpoDistillation

ROUNDS_FOLDER = "rounds"
REFERENCE_FOLDER = "reference"
PAIRS_FILE = "pairs.jsonl"
HELD_OUT_FILE = "held-out.jsonl"


class Student(NamedTuple):
    """The weights that a round samples and starts from."""

    folder: Path
    weights: str
    """Their hash."""


class Round(NamedTuple):
    """One round of a stage."""

    number: int
    folder: Path
    student: Student

    @property
    def pairs(self) -> Path:
        """Return the file of the pairs that were made in this round."""
        return self.folder / PAIRS_FILE


def round_of(config: RunConfig, number: int, student: Student) -> Round:
    """Return a round; the first one has number 1."""
    return Round(number, Path(config.paths.stage) / ROUNDS_FOLDER / str(number), student)


def held_out_file(config: RunConfig) -> Path:
    """Return the file of the pairs that all rounds are evaluated on: they are made in the first round."""
    return Path(config.paths.stage) / HELD_OUT_FILE


def config_of(config: RunConfig, one: Round, with_earlier: bool) -> RunConfig:
    """Return the config with which the round is trained; its hash contains the weights that it starts from."""
    settings = config.stage.settings
    assert isinstance(settings, DpoDistillation)
    pairs = [one.folder.parent / str(number) / PAIRS_FILE for number in range(1 if with_earlier else one.number, one.number + 1)]
    own = settings.model_copy(
        update={
            "prompts": [_dataset(path, config) for path in pairs],
            "holdout": _holdout(settings.holdout, config),
        }
    )
    stage = config.stage.model_copy(update={"dpo_distillation": own})
    stages = [stage if known.name == stage.name else known for known in config.spec.stages or []]
    return config.model_copy(
        update={
            "spec": config.spec.model_copy(update={"stages": stages}),
            "input_hash": digest([config.input_hash, one.number, one.student.weights]),
            "paths": config.paths.model_copy(update={"stage": str(one.folder), "parent_model": str(one.student.folder)}),
        }
    )


def reference_config(own: RunConfig, start: Student) -> RunConfig:
    """Return the config with which a round's pairs are given to the start of the stage, in a folder beside the training."""
    folder = Path(own.paths.stage) / REFERENCE_FOLDER
    return own.model_copy(
        update={"paths": own.paths.model_copy(update={"stage": str(folder), "parent_model": str(start.folder)})}
    )


def _holdout(holdout: Holdout | None, config: RunConfig) -> Holdout | None:
    if holdout is None or holdout.datasets:
        return holdout
    return Holdout(datasets=[_dataset(held_out_file(config), config)])


def _dataset(path: Path, config: RunConfig) -> Dataset:
    return Dataset(uri=f"{WORKSPACE_PREFIX}{path.relative_to(config.paths.workspace)}")
