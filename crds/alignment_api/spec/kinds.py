"""What each kind of stage is: the one table that API, operator and trainer ask instead of naming kinds."""

from dataclasses import dataclass
from typing import Literal

Leaves = Literal["Model", "Rows", "Report", "Export"]
"""What a stage leaves in its folder for later stages and for people."""

_TRAINED = ("max_length", "optimization.learning_rate", "optimization.global_batch_size")


@dataclass(frozen=True)
class Kind:
    """One kind of stage."""

    leaves: Leaves
    needed: tuple[str, ...]
    """Settings that no default can give: a recipe or the user must."""
    trains: bool = False
    """Whether the stage updates weights, so that its settings are TrainingSettings and its model can be built upon."""
    runs: bool = False
    """Whether this version's trainer has a page for it; other kinds are in the schema and refused with a sentence."""
    needs_gpus: bool = True
    """Whether the stage computes with a model of its own; the others only ask endpoints."""


KINDS: dict[str, Kind] = {
    "distill": Kind("Rows", ("teachers", "prompts"), needs_gpus=False),
    "feedback": Kind("Rows", ("responders", "judge", "prompts"), needs_gpus=False),
    "sft": Kind("Model", ("datasets", *_TRAINED), trains=True, runs=True),
    "dpo": Kind("Model", ("datasets", *_TRAINED), trains=True, runs=True),
    "dpo_distillation": Kind("Model", ("teacher", "prompts", *_TRAINED), trains=True),
    "evaluate": Kind("Report", ("tasks",)),
    "export": Kind("Export", ()),
}
"""All kinds, as Python spells them, in the order in which a job usually runs them."""
