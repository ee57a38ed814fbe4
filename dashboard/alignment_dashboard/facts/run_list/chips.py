"""The filters above the list of runs: each counts the runs that it would leave."""

from collections import Counter
from collections.abc import Collection, Sequence

from alignment_dashboard.facts.run_list.row import Row
from alignment_dashboard.facts.status import Badge

RUNNING, WAITING, ATTENTION, SUCCEEDED, FAILED = "running", "waiting", "attention", "succeeded", "failed"
CHIPS: dict[str, Badge] = {
    RUNNING: Badge("▶", "running", "blue"),
    WAITING: Badge("○", "waiting", "gray"),
    ATTENTION: Badge("!", "need attention", "orange"),
    SUCCEEDED: Badge("✓", "succeeded", "green"),
    FAILED: Badge("✕", "failed", "red"),
}
"""A failed run counts under both of the last two words that fit it: it needs attention, and people look for failed runs."""

_CHIP_OF = {"Running": RUNNING, "Restarting": RUNNING, "Succeeded": SUCCEEDED, "Failed": FAILED}


def chip_of(phase: str) -> str:
    """Return the chip of a phase; each phase has one."""
    return _CHIP_OF.get(phase, WAITING)


def count(rows: Sequence[Row], needing_attention: Collection[str]) -> dict[str, int]:
    """Return how many runs each chip leaves."""
    found = Counter(chip_of(row.phase) for row in rows)
    return {name: len(needing_attention) if name == ATTENTION else found[name] for name in CHIPS}


def chosen(rows: Sequence[Row], chip: str | None, needing_attention: Collection[str]) -> list[Row]:
    """Return the rows of a chip; all rows if none is chosen."""
    if chip == ATTENTION:
        return [row for row in rows if row.identity in needing_attention]
    return [row for row in rows if chip not in CHIPS or chip_of(row.phase) == chip]
