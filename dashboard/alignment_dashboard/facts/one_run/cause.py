"""Why a run is in its state, in one line, with the whole text behind it."""

from datetime import datetime
from typing import NamedTuple

from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import Phase

from alignment_dashboard.data.listing import Guidance
from alignment_dashboard.facts.next_step import next_step
from alignment_dashboard.facts.status import BADGES, Colour, attention, phase_of, stages_of, status_of
from alignment_dashboard.text import first_sentence, shorten

LINE_LENGTH = 140
"""Characters of a cause that fit on one line at 1440 pixels, beside its reason and the next step."""
_USUAL = ("Training", "WritingRows", "MeasuringRows", "Succeeded", "Completed")
"""Reasons that say no more than the state."""


class Cause(NamedTuple):
    """A reason, the first sentence of its message, what to do next, and the message if it is longer than that."""

    reason: str
    colour: Colour
    line: str
    step: str
    whole: str | None


def causes_of(job: AlignmentJob, now: datetime, guidance: Guidance) -> list[Cause]:
    """Return why a run and its stages are as they are; what the run says already, no stage says again."""
    found = [cause] if (cause := _cause_of(job, now, guidance)) else []
    # What a stage waits for stands beside it.
    for stage in (stage for stage in stages_of(job) if stage.state != "Waiting"):
        is_news = stage.message and not any(stage.message in (known.whole or known.line) for known in found)
        if is_news and stage.reason not in _USUAL:
            found.append(_cause(stage.reason or stage.state, BADGES[stage.state].colour, stage.message or "", phase_of(job)))
    return found


def _cause_of(job: AlignmentJob, now: datetime, guidance: Guidance) -> Cause | None:
    status, why = status_of(job), attention(job, now, guidance)
    reason = why.reason if why else status.reason
    message = (why.message if why else status.message) or ""
    if reason in _USUAL or not (reason or message):
        return None
    return _cause(reason or phase_of(job), why.colour if why else BADGES[phase_of(job)].colour, message, phase_of(job))


def _cause(reason: str, colour: Colour, message: str, phase: Phase) -> Cause:
    line = first_line(message)
    return Cause(reason, colour, line, next_step(reason, phase), message if line != message else None)


def first_line(message: str) -> str:
    """Return a message that fits on one line, or else its first sentence, cut to one line."""
    text = " ".join(message.split())
    return text if len(text) <= LINE_LENGTH else shorten(first_sentence(text)[0], LINE_LENGTH)
