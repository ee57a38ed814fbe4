"""The order in which a list shows its runs: it holds still while it is read, and new runs wait until they are asked for."""

from collections.abc import Sequence
from typing import NamedTuple

from alignment_dashboard.facts.run_list.row import Row


class Order(NamedTuple):
    """The runs of a list, as the visitor last asked for them."""

    asked: object
    """Filter, search and sorting; another one makes a new order."""
    identities: tuple[str, ...]


class Arranged(NamedTuple):
    """The rows to show, and how many others wait."""

    rows: list[Row]
    waiting: int
    order: Order


def arrange(rows: Sequence[Row], asked: object, before: Order | None) -> Arranged:
    """Return the rows in the order that the visitor knows; `rows` are those that fit, in the order of a fresh list."""
    fresh = Order(asked, tuple(row.identity for row in rows))
    if before is None or before.asked != asked:
        return Arranged(list(rows), 0, fresh)
    fitting = {row.identity: row for row in rows}
    shown = [fitting[identity] for identity in before.identities if identity in fitting]
    if not shown:
        return Arranged(list(rows), 0, fresh)
    known = set(before.identities)
    return Arranged(shown, sum(row.identity not in known for row in rows), before)
