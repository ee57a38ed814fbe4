"""The termination message: how a stage ended, as whole JSON of at most the bytes that the kubelet keeps."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Loading it takes a while, in which a pod must already be able to say that it was stopped.
    from alignment_api.exit_codes import Termination

TERMINATION_VARIABLE = "ALIGNMENT_TERMINATION_LOG"
MOST_BYTES = 4096
_POD_TERMINATION_LOG = Path("/dev/termination-log")
_GAP = " … "
_KEPT_AT_THE_END = 3
"""Of what is kept, one part in so many is the end: a chain of causes has its root there, a list how many more there are."""


def write_termination(text: str) -> None:
    """Leave the message where the kubelet, or whoever started the trainer, reads it."""
    named = os.environ.get(TERMINATION_VARIABLE)
    path = Path(named) if named else _POD_TERMINATION_LOG
    if named or path.exists():
        # The kubelet mounts this file; it can be written, not replaced.
        path.write_text(text, encoding="utf-8")


def fitted(termination: "Termination", most_bytes: int = MOST_BYTES) -> str:
    """Write a termination as JSON; its sentence is shortened until all of it fits."""
    least, most = 0, len(termination.message)
    while least < most:
        kept = (least + most + 1) // 2
        if len(_written(termination, kept).encode()) <= most_bytes:
            least = kept
        else:
            most = kept - 1
    return _written(termination, least)


def shortened(text: str, kept: int) -> str:
    """Keep the beginning and the end of a text; what lies between is left out first."""
    # A file's name may hold bytes that are not UTF-8, and a sentence that name.
    text = text.encode("utf-8", "replace").decode()
    if kept >= len(text):
        return text
    end = kept // _KEPT_AT_THE_END
    return f"{text[: kept - end]}{_GAP}{text[len(text) - end :]}"


def _written(termination: "Termination", kept: int) -> str:
    return termination.model_copy(update={"message": shortened(termination.message, kept)}).model_dump_json(exclude_none=True)
