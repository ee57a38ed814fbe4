"""Files of any size are answered in bounded time and memory: what is too long is refused, and not read to its end."""

import io
import json
import os

import pytest
from alignment_trainer.reading import json_files, lines, table_files
from alignment_trainer.reading.lines import LONGEST_LINE_BYTES, lines_of
from alignment_trainer.reading.row_files import count_rows, read_rows

ROW = json.dumps({"prompt": "Why?", "completion": "Because."})


class Endless(io.RawIOBase):
    """A file of zeros without an end, which fails the test if someone looks for the end."""

    def __init__(self):
        self.bytes = 0

    def readable(self):
        return True

    def readinto(self, buffer):
        self.bytes += len(buffer)
        assert self.bytes < 2 * LONGEST_LINE_BYTES
        buffer[:] = bytes(len(buffer))
        return len(buffer)


def test_the_end_of_a_line_that_is_too_long_is_not_searched():
    ((number, line),) = lines_of(io.BufferedReader(Endless()))
    assert (number, len(line)) == (1, LONGEST_LINE_BYTES + 1)


LIMITED = [
    ("jsonl", b"", "is longer than 64 MiB, and nothing behind it was read; check whether line breaks are missing"),
    ("json", b"", "is longer than 64 MiB, and nothing behind it was read; check whether line breaks are missing"),
    ("json", b" \n[", "begins an array of more than 1024 MiB, and arrays are read whole; write one object per line instead, as"),
    ("csv", b"", "is in a row that is longer than 64 MiB; check whether a quotation mark or line breaks are missing"),
    ("parquet", b"PAR1", "cannot be read (Parquet magic bytes not found"),
    ("arrow", b"ARROW1", "cannot be read (Not an Arrow file); the file is damaged here; write it again"),
]


@pytest.mark.parametrize(("ending", "begins", "sentence"), LIMITED)
def test_ten_gigabytes_of_zeros_are_refused(tmp_path, ending, begins, sentence):
    path = tmp_path / f"rows.{ending}"
    path.write_bytes(begins)
    # A hole in the file: it needs no room on the disk.
    os.truncate(path, 10 << 30)
    (row,) = read_rows(path)
    assert str(row.fault).startswith(sentence)


def test_rows_before_a_line_that_is_too_long_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST_LINE_BYTES", 100)
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join([ROW, "x" * 101, ROW]))
    assert [(row.place.number, row.fault is None) for row in read_rows(path)] == [(1, True), (2, False)]
    assert count_rows(path) == 2


def test_an_array_is_read_up_to_its_limit(tmp_path, monkeypatch):
    path = tmp_path / "rows.json"
    path.write_text(f"[{ROW}]")
    monkeypatch.setattr(json_files, "_LARGEST_ARRAY_BYTES", path.stat().st_size)
    assert [row.fault for row in read_rows(path)] == [None]
    path.write_text(f"[{ROW} ]")
    ((place, _, fault),) = read_rows(path)
    assert place.number == 1 and str(fault).startswith("begins an array of more than")


def test_an_open_quotation_mark_does_not_collect_the_rest_of_a_csv_file(tmp_path, monkeypatch):
    monkeypatch.setattr(table_files, "LONGEST_LINE_BYTES", 100)
    path = tmp_path / "rows.csv"
    path.write_text("prompt,completion\n" + "Why?,Because.\n" * 50 + 'Why?,"Because.\n' + "Why?,Because.\n" * 50)
    *whole, last = read_rows(path)
    assert [row.fault for row in whole] == [None] * 50
    assert last.place.number > 50 and str(last.fault).startswith("is in a row that is longer than")
    # Many cells with line breaks of their own are one row too.
    path.write_text("prompt,completion\n" + '"a\nb",' * 50)
    (row,) = read_rows(path)
    assert str(row.fault).startswith("is in a row that is longer than")
