"""Reads rows of table files: Parquet, Arrow (files and streams) and CSV."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from alignment_api.problems import first_line

from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.reading.lines import LONGEST_LINE_BYTES, Place, Placed, Wanted, lines_of, text_line

_BATCH_ROWS = 1000
_ARROW_FILE_MARK = b"ARROW1"


def parquet_rows(path: Path, is_wanted: Wanted) -> Iterator[Placed]:
    """Read a Parquet file."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        _check_names(file.schema_arrow.names)
        yield from _batch_rows(file.iter_batches(batch_size=_BATCH_ROWS), is_wanted)


def count_parquet_rows(path: Path) -> int:
    """Read the number of rows from a Parquet file's footer."""
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        return int(file.metadata.num_rows)


def arrow_rows(path: Path, is_wanted: Wanted) -> Iterator[Placed]:
    """Read an Arrow file, or an Arrow stream as `datasets` writes it."""
    with _arrow_batches(path) as batches:
        yield from _batch_rows(batches, is_wanted)


def count_arrow_rows(path: Path) -> int:
    """Count an Arrow file's rows."""
    with _arrow_batches(path) as batches:
        return sum(int(batch.num_rows) for batch in batches)


def csv_rows(path: Path, is_wanted: Wanted) -> Iterator[Placed]:
    """Read a CSV file whose first line names the columns; a row's place is the line on which it begins."""
    csv.field_size_limit(LONGEST_LINE_BYTES)
    with path.open("rb") as file:
        lines = _CsvLines(file)
        reader = csv.reader(lines, strict=True)
        names = next(reader, [])
        _check_names(names)
        position, begins = -1, reader.line_num + 1
        try:
            for cells in reader:
                lines.row_bytes = 0
                if cells:
                    position += 1
                    if is_wanted(position):
                        yield Place("line", begins), _row_of(names, cells)
                begins = reader.line_num + 1
        except csv.Error as error:
            yield Place("line", begins), BadRow(f"is not valid CSV ({error}); correct the line")
        except BadRow as fault:
            yield Place("line", reader.line_num + 1), fault


class _CsvLines:
    """The lines of a CSV file, of which several may be one row; a row that is too long is a fault."""

    def __init__(self, file: IO[bytes]) -> None:
        self.row_bytes = 0
        self._lines = lines_of(file)

    def __iter__(self) -> Iterator[str]:
        for _, line in self._lines:
            self.row_bytes += len(line)
            if self.row_bytes > LONGEST_LINE_BYTES:
                limit = f"is in a row that is longer than {LONGEST_LINE_BYTES >> 20} MiB"
                raise BadRow(f"{limit}; check whether a quotation mark or line breaks are missing")
            yield text_line(line)


def _row_of(names: list[str], cells: list[str]) -> dict[str, Any] | BadRow:
    if len(cells) != len(names):
        return BadRow(f"has {len(cells)} cells, but the first line names {len(names)} columns; correct the line")
    return dict(zip(names, cells, strict=True))


@contextmanager
def _arrow_batches(path: Path) -> Iterator[Iterable[Any]]:
    import pyarrow

    with pyarrow.OSFile(str(path)) as source:
        is_file = source.read(len(_ARROW_FILE_MARK)) == _ARROW_FILE_MARK
        source.seek(0)
        reader = pyarrow.ipc.open_file(source) if is_file else pyarrow.ipc.open_stream(source)
        _check_names(reader.schema.names)
        yield (reader.get_batch(index) for index in range(reader.num_record_batches)) if is_file else reader


def _batch_rows(batches: Iterable[Any], is_wanted: Wanted) -> Iterator[Placed]:
    first = 0
    for batch in batches:
        for start in range(0, batch.num_rows, _BATCH_ROWS):
            yield from _rows_of(batch.slice(start, _BATCH_ROWS), first + start, is_wanted)
        first += batch.num_rows


def _rows_of(batch: Any, first: int, is_wanted: Wanted) -> Iterator[Placed]:
    wanted = [index for index in range(batch.num_rows) if is_wanted(first + index)]
    if not wanted:
        return
    try:
        # A damaged file may describe a layout that is not there.
        batch.validate(full=True)
        rows = batch.to_pylist() if len(wanted) == batch.num_rows else batch.take(wanted).to_pylist()
    except ValueError:
        # Decode each row alone, so that only the damaged ones are refused.
        rows = [_row_alone(batch, index) for index in wanted]
    for index, row in zip(wanted, rows, strict=True):
        yield Place("row", first + index + 1), row


def _row_alone(batch: Any, index: int) -> dict[str, Any] | BadRow:
    try:
        alone = batch.slice(index, 1)
        alone.validate(full=True)
        row: dict[str, Any] = alone.to_pylist()[0]
    except ValueError as error:
        return BadRow(f"cannot be read ({first_line(error)}); correct or remove the row")
    return row


def _check_names(names: list[str]) -> None:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadRow(f"has the column {twice[:40]!r} twice; rename one")
