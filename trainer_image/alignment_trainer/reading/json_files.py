"""Reads rows of JSON files, one per line or in one array, with the fault of each line that cannot be read."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.reading.lines import (
    BYTE_ORDER_MARK,
    LONGEST_LINE_BYTES,
    Place,
    Placed,
    Wanted,
    is_too_long,
    lines_of,
    text_line,
)

_BEGINNING_BYTES = 64 * 1024
_LARGEST_ARRAY_BYTES = 1024 * 1024 * 1024


def json_line_rows(path: Path, is_wanted: Wanted) -> Iterator[Placed]:
    """Read one object per line; blank lines are skipped."""
    position = -1
    with _opened(path) as file:
        for number, line in lines_of(file):
            if not line.strip():
                continue
            position += 1
            if is_wanted(position):
                yield Place("line", number), _row_of(line)


def json_rows(path: Path, is_wanted: Wanted) -> Iterator[Placed]:
    """Read one array of objects, or one object per line."""
    with path.open("rb") as file:
        begins_array = file.read(_BEGINNING_BYTES).removeprefix(BYTE_ORDER_MARK).lstrip().startswith(b"[")
    if not begins_array:
        yield from json_line_rows(path, is_wanted)
        return
    if path.stat().st_size > _LARGEST_ARRAY_BYTES:
        limit = f"begins an array of more than {_LARGEST_ARRAY_BYTES >> 20} MiB, and arrays are read whole"
        yield Place("line", 1), BadRow(f"{limit}; write one object per line instead, as .jsonl")
        return
    content = path.read_bytes().removeprefix(BYTE_ORDER_MARK)
    try:
        rows = _parsed(content)
    except json.JSONDecodeError as error:
        yield Place("line", error.lineno), BadRow(f"is not valid JSON ({error.msg}); correct the file")
        return
    except BadRow as fault:
        yield Place("line", 1), fault
        return
    for position, row in enumerate(rows):
        if is_wanted(position):
            yield Place("row", position + 1), _object(row)


def count_json_lines(path: Path) -> int:
    """Count the non-blank lines of a file, without parsing them."""
    with _opened(path) as file:
        return sum(bool(line.strip()) for _, line in lines_of(file))


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _row_of(line: bytes) -> dict[str, Any] | BadRow:
    if is_too_long(line):
        limit = f"is longer than {LONGEST_LINE_BYTES >> 20} MiB"
        return BadRow(f"{limit}, and nothing behind it was read; check whether line breaks are missing")
    try:
        return _object(_parsed(line))
    except json.JSONDecodeError as error:
        return BadRow(f"is not valid JSON ({error.msg}, at character {error.pos + 1}); correct the line")
    except BadRow as fault:
        return fault


def _parsed(content: bytes) -> Any:
    text = text_line(content)
    try:
        return json.loads(text, object_pairs_hook=_refuse_repeated_keys)
    except RecursionError as error:
        raise BadRow("is nested too deeply; correct it") from error
    except (BadRow, json.JSONDecodeError):
        raise
    except ValueError as error:
        raise BadRow(f"is not valid JSON ({error}); correct it") from error


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BadRow(f"has the key {twice[:40]!r} twice; remove one")
    return values


def _object(values: Any) -> dict[str, Any] | BadRow:
    return values if isinstance(values, dict) else BadRow("is not a JSON object; write each row as one object")
