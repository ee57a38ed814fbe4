"""The warnings about a stage's training: a file in its folder, which all attempts share, and lines in the log."""

import json
import sys
from pathlib import Path

from alignment_api.files import write_whole
from alignment_api.heartbeat import read_warnings
from alignment_api.names import WARNINGS_FILE
from alignment_api.problems import Problem


def warn(stage: Path, warnings: list[Problem]) -> None:
    """Keep and print the warnings that the stage does not have yet."""
    known = recorded_warnings(stage)
    new = [str(warning) for warning in warnings if str(warning) not in known]
    if new:
        write_whole(stage / WARNINGS_FILE, json.dumps([*known, *new], indent=1))
    for sentence in new:
        print(f"warning: {sentence}", file=sys.stderr, flush=True)


def recorded_warnings(stage: Path) -> list[str]:
    """Return the warnings so far."""
    return read_warnings(stage / WARNINGS_FILE)
