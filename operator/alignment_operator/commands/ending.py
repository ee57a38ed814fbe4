"""How a command ends: its exit codes, and how it prints errors and warnings."""

import sys
from collections.abc import Iterable

SUCCEEDED, FAILED, REFUSED, INTERRUPTED = 0, 1, 2, 130


def refuse(problems: str) -> int:
    """Print each problem, and return the exit code of what was not begun."""
    for line in problems.splitlines():
        print(f"error: {_plain(line)}", file=sys.stderr)
    return REFUSED


def warn(warnings: Iterable[str]) -> None:
    """Print each warning."""
    for warning in warnings:
        print(f"warning: {_plain(warning)}", file=sys.stderr)


def _plain(line: str) -> str:
    """Write a line without characters that a terminal would interpret: it may quote names of others."""
    return "".join(sign if sign.isprintable() else " " for sign in line)
