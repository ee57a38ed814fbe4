"""What a pod wrote about its own end: untrusted text, bounded and cleaned before it is shown; pure."""

import re
from typing import Any, NamedTuple

from alignment_api.exit_codes import Termination
from alignment_api.progress.course import bounded_progress
from alignment_api.spec.status import Progress
from pydantic import ValidationError

from alignment_operator.backends.pods import time_from
from alignment_operator.deciding.untrusted import bounded_checkpoint, bounded_revision, bounded_warnings

_LONGEST_SENTENCE = 3000
_REASON = re.compile(r"[A-Z][A-Za-z0-9]{0,62}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class CleanTermination(NamedTuple):
    """The parts of a termination message that are safe to store and show."""

    reason: str
    message: str
    last_checkpoint: int | None = None
    model_revision: str | None = None
    warnings: tuple[str, ...] | None = None
    progress: Progress | None = None
    """How far a success was, which has done all steps; None if the trainer does not say so, as those of earlier versions."""


def read_termination(terminated: dict[str, Any] | None, missing_exit_code: int) -> CleanTermination:
    """Read the trainer's termination message, or build one from the exit code if the trainer wrote none."""
    code = (terminated or {}).get("exitCode", missing_exit_code)
    text = (terminated or {}).get("message") or ""
    try:
        written = Termination.model_validate_json(text)
    except ValidationError:
        return _without_message(code, (terminated or {}).get("reason"), text)
    return CleanTermination(
        written.reason if _REASON.fullmatch(written.reason) else "Failed",
        as_sentence(written.message),
        bounded_checkpoint(written.last_checkpoint),
        bounded_revision(written.model_revision),
        bounded_warnings(written.warnings) if written.warnings else None,
        _progress(written, (terminated or {}).get("finishedAt")),
    )


def _progress(written: Termination, end: str | None) -> Progress | None:
    total, ended = written.total_steps, time_from(end)
    return bounded_progress(total, total, 0, written.metrics or {}, ended) if total is not None and ended else None


def as_sentence(text: str) -> str:
    """Return the text without control characters, cut to the length that a status may hold."""
    clean = _CONTROL.sub(" ", text)
    return clean if len(clean) <= _LONGEST_SENTENCE else f"{clean[: _LONGEST_SENTENCE - 4]} ..."


def _without_message(code: int, reason: str | None, log_end: str) -> CleanTermination:
    is_killed = code > 128
    message = f"killed by signal {code - 128}" if is_killed else f"ended with exit code {code}"
    last_line = next((line.strip() for line in reversed(log_end.splitlines()) if line.strip()), "")
    sentence = as_sentence(f"{message}: {last_line}" if last_line else message)
    return CleanTermination("Killed" if is_killed else (reason or "Failed"), sentence)
