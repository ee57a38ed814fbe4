"""The reduced form of a status that the API server refused: what decisions need, and a sentence about the refusal; pure."""

from typing import Any, TypeVar

from alignment_api.schema import Schema
from alignment_api.spec.status import AlignmentJobStatus

from alignment_operator.deciding.untrusted import one_line

# The largest integer that every JSON reader keeps exact.
_LARGEST_NUMBER = 2**53 - 1
_MESSAGE_CHARACTERS, _REFUSAL_CHARACTERS = 1000, 500
# Only for people; the next status that the API server accepts has them again.
_LEFT_OUT_OF_JOBS = ("progress", "eta", "estimated_completion_time", "model", "gpus", "tracking", "warnings")
_LEFT_OUT_OF_STAGES = ("progress", "run_id", "warnings")

_Any = TypeVar("_Any", bound=Schema)


def reduced(status: AlignmentJobStatus, refusal: str) -> AlignmentJobStatus:
    """Keep the phase, the conditions, and the parts of each stage that the next decision needs, all within bounds."""
    message = f"the API server refused the full status ({one_line(refusal, _REFUSAL_CHARACTERS)}): {status.message}"
    stages = [_reduced(stage, _LEFT_OUT_OF_STAGES) for stage in status.stages] if status.stages is not None else None
    conditions = [_reduced(condition) for condition in status.conditions] if status.conditions is not None else None
    update = {"stages": stages, "conditions": conditions, "message": one_line(message, 2 * _MESSAGE_CHARACTERS)}
    return _reduced(status, _LEFT_OUT_OF_JOBS).model_copy(update=update)


def _reduced(part: _Any, left_out: tuple[str, ...] = ()) -> _Any:
    kept = {name: _bounded(name, getattr(part, name)) for name in type(part).model_fields}
    return part.model_copy(update={**kept, **dict.fromkeys(left_out)})


def _bounded(name: str, value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool):
        return min(max(value, 0), _LARGEST_NUMBER)
    return one_line(value, _MESSAGE_CHARACTERS) if isinstance(value, str) and name == "message" else value
