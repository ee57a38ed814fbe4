"""One form of rows: the columns by which it is recognised, and how a row of it is read."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

Row = Mapping[str, Any]
_Read = TypeVar("_Read")


def _any_values(row: Row) -> bool:
    return True


class Form(NamedTuple, Generic[_Read]):
    """A form that rows have in public datasets; the tables of forms list them, and the first one that fits a row applies."""

    name: str
    """As logs, manifests and docs/data.md show it."""
    columns: tuple[str, ...]
    """The columns that a row must have, with a value that is not null."""
    read: Callable[[Row], _Read]
    """Reads a row with these columns; raises BadRow if a value is wrong."""
    optional: tuple[str, ...] = ()
    """Further columns that `read` uses where a row has them."""
    fits: Callable[[Row], bool] = _any_values
    """Whether the form applies to a row with these columns; only where the types of the values tell."""


def form_of(row: Row, forms: tuple[Form[_Read], ...]) -> Form[_Read] | None:
    """Return the first form of a table that fits a row."""
    return next((form for form in forms if has_columns(row, form.columns) and form.fits(row)), None)


def has_columns(row: Row, columns: tuple[str, ...]) -> bool:
    """Return whether a row has a value that is not null in each of the columns."""
    return None not in map(row.get, columns)


def is_empty(value: Any) -> bool:
    """Return whether a value says nothing: it is null, or an empty text, list or object."""
    return value is None or (isinstance(value, str | list | dict) and not value)


def shown_columns(row: Row) -> str:
    """Name the columns of a row that are not null, the first ten of them."""
    columns = sorted(str(column) for column, value in row.items() if value is not None)
    shown = ", ".join(column if len(column) <= 40 else f"{column[:37]}..." for column in columns[:10])
    return (shown + (f" and {len(columns) - 10} more" if len(columns) > 10 else "")) or "nothing"
