"""How stages find and read their rows: the same where rows are checked, shown and trained on; without torch."""

from collections.abc import Callable
from typing import Any, NamedTuple

from alignment_trainer.forms.columns import Find, find_rows
from alignment_trainer.forms.pairs.labelled_rows import find_pairs
from alignment_trainer.forms.rows import ReadRow, read_dialogue, read_pair

Read = Callable[[dict[str, Any]], ReadRow[Any]]


class Reader(NamedTuple):
    """How the rows of a dataset are found, and how one of them is read."""

    find: Find
    read: Read


DIALOGUES = Reader(find_rows, read_dialogue)
PAIRS = Reader(find_pairs, read_pair)
