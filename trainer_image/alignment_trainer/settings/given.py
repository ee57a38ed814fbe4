"""One setting that must be there, and where it stands in the job."""

from typing import TypeVar

from alignment_api.run_config import RunConfig
from pydantic.alias_generators import to_camel

from alignment_trainer.failures import BadConfiguration

Value = TypeVar("Value")


def stage_path(config: RunConfig) -> str:
    """Write where the stage's settings stand in the job."""
    return f"spec.stages[{config.stage_index}].{to_camel(config.stage.kind)}"


def given(value: Value | None, field: str) -> Value:
    """Return a value that must be set, and refuse the job where it is not."""
    if value is None:
        raise BadConfiguration(
            f"{field}: is not set, and the trainer guesses nothing; set it, or have the operator write this file, "
            f"which fills in recipes and defaults"
        )
    return value
