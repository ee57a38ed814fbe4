"""What the stages of a run have asked of teachers and judges, what that cost, and why answers and rows are missing."""

from collections.abc import Mapping
from typing import NamedTuple

from alignment_api.metrics import left_out_of, unanswered_of
from alignment_api.progress.asked import asked_so_far
from alignment_api.spec.job import AlignmentJob

from alignment_dashboard.facts.status import stages_of

_REASONS = (("unanswered", unanswered_of("")), ("left out", left_out_of("")))
SEPARATOR = "  ·  "


class Asked(NamedTuple):
    """What one stage has asked so far, in one line."""

    stage: str
    line: str


def asked_by(job: AlignmentJob, latest: Mapping[str, Mapping[str, float]]) -> list[Asked]:
    """Return a line for each stage that asks or writes rows; `latest` has the newest value of each metric of each stage."""
    found = []
    for stage in stages_of(job):
        parts = asked_so_far(stage.progress) if stage.progress else []
        if parts:
            found.append(Asked(stage.name, SEPARATOR.join(_with_reasons(parts, latest.get(stage.name, {})))))
    return found


def _with_reasons(parts: list[str], latest: Mapping[str, float]) -> list[str]:
    """Return the parts of a line, with the reasons behind what is missing, the most frequent first."""
    for what, prefix in _REASONS:
        counts = {name.removeprefix(prefix): count for name, count in latest.items() if name.startswith(prefix) and count > 0}
        ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        reasons = ", ".join(f"{count:,.0f} {_words(reason)}" for reason, count in ordered)
        if reasons and any(part.endswith(what) for part in parts):
            parts = [f"{part} ({reasons})" if part.endswith(what) else part for part in parts]
        elif reasons:
            parts = [*parts, f"{what}: {reasons}"]
    return parts


def _words(reason: str) -> str:
    """Write a reason, which is one word such as RateLimited, as people write it."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in reason)
    return spaced.replace("_", " ").strip()
