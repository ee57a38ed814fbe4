"""What a pod wrote about its own end: words of an untrusted author, bounded and cleaned before anybody repeats them; pure."""

import re
from typing import Any, NamedTuple

from alignment_api.exit_codes import Termination
from pydantic import ValidationError

from alignment_operator.deciding.untrusted import bounded_checkpoint, bounded_revision

_LONGEST_SENTENCE = 3000
_REASON = re.compile(r"[A-Z][A-Za-z0-9]{0,62}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class Said(NamedTuple):
    """The part of a termination message that is repeated."""

    reason: str
    message: str
    last_checkpoint: int | None = None
    model_revision: str | None = None


def read_termination(terminated: dict[str, Any] | None, missing_exit_code: int) -> Said:
    """Read what the trainer wrote to its termination log, or say what is known without it."""
    code = (terminated or {}).get("exitCode", missing_exit_code)
    text = (terminated or {}).get("message") or ""
    try:
        said = Termination.model_validate_json(text)
    except ValidationError:
        return _unsaid(code, (terminated or {}).get("reason"), text)
    return Said(
        said.reason if _REASON.fullmatch(said.reason) else "Failed",
        as_sentence(said.message),
        bounded_checkpoint(said.last_checkpoint),
        bounded_revision(said.model_revision),
    )


def as_sentence(text: str) -> str:
    """Make text safe to be shown: no control characters, and not longer than a status may hold."""
    clean = _CONTROL.sub(" ", text)
    return clean if len(clean) <= _LONGEST_SENTENCE else f"{clean[: _LONGEST_SENTENCE - 4]} ..."


def _unsaid(code: int, reason: str | None, text: str) -> Said:
    is_killed = code > 128
    message = f"killed by signal {code - 128}" if is_killed else f"ended with exit code {code}"
    last_line = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    return Said("Killed" if is_killed else (reason or "Failed"), as_sentence(f"{message}: {last_line}" if last_line else message))
