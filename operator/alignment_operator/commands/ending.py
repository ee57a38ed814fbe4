"""How a command ends: its exit codes, and how it prints errors and warnings."""

import sys
from collections.abc import Iterable

from alignment_operator.deciding.untrusted import without_controls

SUCCEEDED, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130


def refuse(problems: str) -> int:
    """Print each problem, and return the exit code of what was not begun."""
    for line in problems.splitlines():
        print(f"error: {without_controls(line)}", file=sys.stderr)
    return REFUSED


def warn(warnings: Iterable[str]) -> None:
    """Print each warning."""
    for warning in warnings:
        print(f"warning: {without_controls(warning)}", file=sys.stderr)
