"""Whether a report is the last word of its stage, or of an earlier attempt or of earlier settings."""

from typing import Literal

from alignment_api.spec.status import StageState

Standing = Literal["Final", "NotEnded", "Failed", "EarlierSettings"]

_SENTENCES: dict[Standing, str] = {
    "NotEnded": "Stage {} runs again or has not ended: its figures are those of the last report that it wrote.",
    "Failed": "Stage {} failed: its figures are those of the last report that it wrote.",
    "EarlierSettings": "The settings of stage {}, or of a stage that it builds on, were changed: its figures are those of "
    "before, until it has run again.",
}


def standing(reported: str | None, current: str | None, state: StageState | None) -> Standing:
    """Decide it from the hash of the inputs that the report is of, that of the stage's inputs now, and the stage's state.

    None stands for what is not known.
    """
    if reported and current and reported != current:
        return "EarlierSettings"
    if state in (None, "Succeeded"):
        return "Final"
    return "Failed" if state == "Failed" else "NotEnded"


def standing_sentence(stage: str, found: Standing) -> str | None:
    """Return what a reader of the figures must know; None if they are final."""
    return _SENTENCES[found].format(stage) if found in _SENTENCES else None
