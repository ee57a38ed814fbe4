"""The table of the kinds of stage, which API, operator and trainer use instead of naming kinds."""

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
    """Settings without a default: a recipe or the user must set them."""
    needed_unless: str | None = None
    """A setting that takes the place of all needed ones."""
    trains: bool = False
    """Whether the stage updates weights: its settings are TrainingSettings, and later stages can start from its model."""
    runs: bool = False
    """Whether this version's trainer has a page for it; jobs with other kinds are refused with a sentence."""
    loads_model: bool = True
    """Whether the stage starts from the job's model or an earlier stage's; the others only ask endpoints, without a GPU."""

    @property
    def reports(self) -> bool:
        """Return whether it reports on models of the job, by their names."""
        return self.leaves in ("Report", "Export")

    @property
    def leaves_weights(self) -> bool:
        """Return whether later stages can measure what it leaves."""
        return self.leaves in ("Model", "Export")


KINDS: dict[str, Kind] = {
    "distill": Kind("Rows", ("teachers", "prompts"), runs=True, loads_model=False),
    "feedback": Kind("Rows", ("responders", "judge", "prompts"), needed_unless="judged", runs=True, loads_model=False),
    "sft": Kind("Model", ("datasets", *_TRAINED), trains=True, runs=True),
    "dpo": Kind("Model", ("datasets", *_TRAINED), trains=True, runs=True),
    "dpo_distillation": Kind("Model", ("teacher", "prompts", *_TRAINED), trains=True, runs=True),
    "evaluate": Kind("Report", ("tasks",), runs=True),
    "export": Kind("Export", (), runs=True),
}
"""All kinds, as Python spells them, in the order in which a job usually runs them."""
