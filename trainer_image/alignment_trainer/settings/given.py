"""Reads one setting that must be set, and names its field in the job."""

from typing import TypeVar

from alignment_api import problems
from alignment_api.run_config import RunConfig

from alignment_trainer.failures import BadConfiguration

Value = TypeVar("Value")


def stage_path(config: RunConfig) -> str:
    """Return the field of the stage's settings in the job."""
    return problems.stage_path(config.stage_index, config.stage.kind)


def given(value: Value | None, field: str) -> Value:
    """Return a value that must be set, and refuse the job where it is not."""
    if value is None:
        raise BadConfiguration(
            f"{field}: is not set, and the trainer has no defaults; set it, or let the operator write this file: "
            f"it fills in recipes and defaults"
        )
    return value
