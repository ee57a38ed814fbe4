"""Reads lines of text files, and names the place of a row in its file."""

from collections.abc import Callable, Iterator
from typing import IO, Any, Literal, NamedTuple

from alignment_trainer.reading.bad_row import BadRow

Wanted = Callable[[int], bool]
"""Returns whether to read the row at a position, counted from 0."""


class Place(NamedTuple):
    """The place of a row in its file: its line, or its number in files without lines; counted from one."""

    unit: Literal["line", "row"]
    number: int

    def next(self) -> "Place":
        """Return the next place."""
        return self._replace(number=self.number + 1)

    def within(self, file: str) -> str:
        """Return the place as messages show it, such as rows.jsonl:3 or rows.parquet: row 3."""
        return f"{file}:{self.number}" if self.unit == "line" else f"{file}: row {self.number}"


Placed = tuple[Place, dict[str, Any] | BadRow]
"""A row's place and its values, or its fault."""

LONGEST_LINE_BYTES = 64 * 1024 * 1024
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")


def lines_of(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its number, without the byte order mark that some programs write; end with a line that is too long."""
    number = 0
    while line := file.readline(LONGEST_LINE_BYTES + 1):
        number += 1
        yield number, line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
        # The file is refused: a search for the end of this line could take minutes, and the rest is probably no better.
        if is_too_long(line):
            return


def is_too_long(line: bytes) -> bool:
    """Return whether a line is longer than any row may be; only its beginning was read."""
    return len(line) > LONGEST_LINE_BYTES


def text_line(line: bytes) -> str:
    """Decode a line; raise BadRow if it is not UTF-8."""
    if line.startswith(_WIDE_MARKS) or b"\0" in line:
        raise BadRow("contains NUL bytes or a UTF-16 mark, so it is damaged or not UTF-8; write the file again as UTF-8")
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise BadRow(f"is not UTF-8 (byte {error.start + 1} of the line); write the file again as UTF-8") from error
