"""Which rows of a task a reader sees: those that the second model answers better or worse, and those with a text."""

from collections.abc import Sequence
from typing import Literal, get_args

from alignment_api.results.evaluation import Better, EvaluatedRow
from alignment_api.results.rows import RowPair
from alignment_api.results.written import write_number

Wanted = Literal["different", "better", "worse", "failed", "all"]
WANTED: tuple[Wanted, ...] = get_args(Wanted)
"""Better and worse are of the second model; of a metric of which neither is better, they are higher and lower."""
_UNDIRECTED = {"better": "higher", "worse": "lower"}


def choose_rows(pairs: Sequence[RowPair], wanted: Wanted, text: str, lower_is_better: bool) -> list[RowPair]:
    """Return the pairs to show, in their order."""
    found = text.casefold()
    return [pair for pair in pairs if _fits(pair, wanted, lower_is_better) and (not found or _contains(pair, found))]


def count_rows(pairs: Sequence[RowPair], lower_is_better: bool) -> dict[Wanted, int]:
    """Return how many pairs each choice shows."""
    return {wanted: sum(_fits(pair, wanted, lower_is_better) for pair in pairs) for wanted in WANTED}


def name_of(wanted: Wanted, better: Better) -> str:
    """Return how a choice is called."""
    return _UNDIRECTED.get(wanted, wanted) if better == "Neither" else wanted


def difference_in_words(pair: RowPair, metric: str, second: str, better: Better) -> str:
    """Return by how much the second model's score exceeds the first's, and whether that is better."""
    if pair.difference is None:
        return f"{metric}: no score"
    written = f"{metric} {write_number(pair.difference, '+')}"
    if better == "Neither" or not pair.difference:
        return written
    return f"{written}: {second} is {'better' if (pair.difference > 0) == (better == 'Higher') else 'worse'}"


def _fits(pair: RowPair, wanted: Wanted, lower_is_better: bool) -> bool:
    if wanted in ("failed", "all"):
        return wanted == "all" or pair.difference is None
    if not pair.difference:
        return False
    is_better = (pair.difference < 0) == lower_is_better
    return wanted == "different" or is_better == (wanted == "better")


def _contains(pair: RowPair, text: str) -> bool:
    return any(text in known.casefold() for row in (pair.first, pair.second) for known in _texts(row))


def _texts(row: EvaluatedRow) -> list[str]:
    details = (str(value) for value in row.details.values())
    return [row.prompt, row.answer or "", row.reference or "", row.reason or "", *details]
