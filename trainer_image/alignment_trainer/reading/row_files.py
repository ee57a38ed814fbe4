"""Reads files of rows in every supported format, each row with its place; without torch."""

import csv
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from alignment_api.problems import first_line

from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.reading.json_files import count_json_lines, json_line_rows, json_rows
from alignment_trainer.reading.lines import Place, Wanted
from alignment_trainer.reading.table_files import arrow_rows, count_arrow_rows, count_parquet_rows, csv_rows, parquet_rows


class Row(NamedTuple):
    """One row and its place in its file; a fault if it cannot be read."""

    place: Place
    values: dict[str, Any]
    fault: BadRow | None = None


_READERS: dict[str, Callable[[Path, Wanted], Iterator[Any]]] = {
    ".jsonl": json_line_rows,
    ".jsonl.gz": json_line_rows,
    ".json": json_rows,
    ".parquet": parquet_rows,
    ".arrow": arrow_rows,
    ".csv": csv_rows,
}
_COUNTERS: dict[str, Callable[[Path], int]] = {
    ".jsonl": count_json_lines,
    ".jsonl.gz": count_json_lines,
    ".parquet": count_parquet_rows,
    ".arrow": count_arrow_rows,
}
FORMATS = tuple(_READERS)
_WITHOUT_LINES = (".parquet", ".arrow")
_METADATA_FILES = ("dataset_info.json", "dataset_dict.json", "state.json")
"""Files that `datasets` writes next to the rows."""


def format_of(name: str) -> str | None:
    """Return the file name's ending that names its format; None if the format is not supported."""
    return next((ending for ending in FORMATS if name.endswith(ending)), None)


def files_in(folder: Path) -> list[Path]:
    """Return a folder's files of rows, sorted by name; subfolders are ignored, because they may be other splits."""
    return sorted(path for path in folder.iterdir() if _holds_rows(path.name) and not path.is_dir())


def _holds_rows(name: str) -> bool:
    return format_of(name) is not None and not name.startswith(".") and name not in _METADATA_FILES


def read_rows(path: Path, is_wanted: Wanted = lambda position: True) -> Iterator[Row]:
    """Read a file's wanted rows; if the file itself is damaged, the last row carries the fault and its place."""
    import pyarrow

    ending = format_of(path.name)
    assert ending is not None, "the caller checks the format"
    place = Place("row" if ending in _WITHOUT_LINES else "line", 0)
    try:
        for place, values in _READERS[ending](path, is_wanted):
            yield Row(place, {}, values) if isinstance(values, BadRow) else Row(place, values)
    except BadRow as fault:
        yield Row(place.next(), {}, fault)
    except (OSError, EOFError, ValueError, KeyError, NotImplementedError, csv.Error, zlib.error, pyarrow.ArrowException) as error:
        yield Row(
            place.next(), {}, BadRow(f"cannot be read ({first_line(error)[:200]}); the file is damaged here; write it again")
        )


def count_rows(path: Path) -> int:
    """Count a file's rows, without parsing them if the format allows it."""
    count = _COUNTERS.get(format_of(path.name) or "")
    return count(path) if count else sum(1 for _ in read_rows(path))
