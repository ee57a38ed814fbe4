"""The lines of a log that a reader sees: the newest, or those that hold what is searched."""

from typing import NamedTuple

LINES = 500


class Lines(NamedTuple):
    """Some lines of a log, the newest last, and a note about what is left out."""

    text: str
    note: str


def matching(log: str, search: str) -> Lines:
    """Return the newest lines that hold the searched text, in any case, each with its number."""
    lines = log.splitlines()
    width = len(str(len(lines)))
    found = [(number, line) for number, line in enumerate(lines, 1) if search.lower() in line.lower()]
    shown = found[-LINES:]
    text = "\n".join(f"{number:>{width}}  {line}" for number, line in shown)
    if search:
        return Lines(text, f"{len(found):,} of {len(lines):,} lines hold it" + _left_out(found, shown))
    return Lines(text, f"the newest {len(shown):,} of {len(lines):,} lines" if len(shown) < len(found) else "")


def _left_out(found: list[tuple[int, str]], shown: list[tuple[int, str]]) -> str:
    return f"; the newest {len(shown):,} are shown" if len(shown) < len(found) else ""
