"""What is left of a status that the API server refuses: all that decisions build on, and a sentence about the rest; pure."""

from typing import Any, TypeVar

from alignment_api.schema import Schema
from alignment_api.spec.status import AlignmentJobStatus

from alignment_operator.deciding.untrusted import one_line

# What every reader of JSON takes for a whole number.
_LARGEST_NUMBER = 2**53 - 1
_MESSAGE_CHARACTERS, _REFUSAL_CHARACTERS = 1000, 500
# They tell people how far a job is, and are told anew with the next status that is taken.
_TOLD_OF_JOBS = ("progress", "eta", "estimated_completion_time", "model", "gpus", "tracking")
_TOLD_OF_STAGES = ("progress", "run_id")

_Any = TypeVar("_Any", bound=Schema)


def reduced(status: AlignmentJobStatus, refusal: str) -> AlignmentJobStatus:
    """Keep phase, conditions, and of each stage what the next decision needs; everything within bounds."""
    message = f"the API server refused the full status ({one_line(refusal, _REFUSAL_CHARACTERS)}): {status.message}"
    stages = [_reduced(stage, _TOLD_OF_STAGES) for stage in status.stages] if status.stages is not None else None
    conditions = [_reduced(condition) for condition in status.conditions] if status.conditions is not None else None
    update = {"stages": stages, "conditions": conditions, "message": one_line(message, 2 * _MESSAGE_CHARACTERS)}
    return _reduced(status, _TOLD_OF_JOBS).model_copy(update=update)


def _reduced(part: _Any, left_out: tuple[str, ...] = ()) -> _Any:
    kept = {name: _bounded(name, getattr(part, name)) for name in type(part).model_fields}
    return part.model_copy(update={**kept, **dict.fromkeys(left_out)})


def _bounded(name: str, value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return min(max(value, 0), _LARGEST_NUMBER)
    return one_line(value, _MESSAGE_CHARACTERS) if isinstance(value, str) and name == "message" else value
