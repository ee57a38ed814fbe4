"""The termination message: how a stage ended, as complete JSON within the size that the kubelet keeps."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Loading it is slow, and a pod must be able to report a stop before that.
    from alignment_api.exit_codes import Termination

TERMINATION_VARIABLE = "ALIGNMENT_TERMINATION_LOG"
MOST_BYTES = 4096
_POD_TERMINATION_LOG = Path("/dev/termination-log")
_GAP = " … "
_KEPT_AT_THE_END = 3
"""One kept character in this many is from the end: a chain of causes has its root there, a list the number of further items."""


def write_termination(text: str) -> None:
    """Write the message where the kubelet, or the program that started the trainer, reads it."""
    named = os.environ.get(TERMINATION_VARIABLE)
    path = Path(named) if named else _POD_TERMINATION_LOG
    if named or path.exists():
        # In place: the kubelet mounts this file, so it cannot be replaced; and the bytes that it has need no room on a full disk.
        with path.open("r+b" if path.exists() else "wb") as file:
            file.write(text.encode("utf-8"))
            file.truncate()


def fitted(termination: "Termination", most_bytes: int = MOST_BYTES) -> str:
    """Return a termination as JSON, without warnings that do not fit, and with its message shortened until the JSON fits."""
    least, most = 0, len(termination.message)
    if termination.warnings and len(_as_json(termination, most).encode()) > most_bytes:
        # The operator then keeps those of the last heartbeat; some of them would look to it like all.
        termination = termination.model_copy(update={"warnings": None})
    while least < most:
        kept = (least + most + 1) // 2
        if len(_as_json(termination, kept).encode()) <= most_bytes:
            least = kept
        else:
            most = kept - 1
    return _as_json(termination, least)


def shortened(text: str, kept: int) -> str:
    """Return the beginning and the end of a text, with the middle left out if it is too long."""
    # The text may name a file whose name is not valid UTF-8.
    text = text.encode("utf-8", "replace").decode()
    if kept >= len(text):
        return text
    end = kept // _KEPT_AT_THE_END
    return f"{text[: kept - end]}{_GAP}{text[len(text) - end :]}"


def _as_json(termination: "Termination", kept: int) -> str:
    return termination.model_copy(update={"message": shortened(termination.message, kept)}).model_dump_json(exclude_none=True)
