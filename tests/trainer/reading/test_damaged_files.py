"""Files with bytes changed, lost or added at random give rows or faults with a place, and nothing else."""

import csv
import gzip
import io
import json
import random

import pyarrow
import pyarrow.parquet
import pytest
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.reading.row_files import FORMATS, count_rows, read_rows
from dialogue_rows import dialogue_of

DAMAGES = 150
ROWS = [
    {"messages": [{"role": "user", "content": f"Why é {index}?"}, {"role": "assistant", "content": "Because."}]}
    for index in range(6)
]
TEXTS = [{"prompt": f"Why {index}?", "completion": 'Because, "x"\nof it.'} for index in range(6)]
LINES = "\n".join(map(json.dumps, ROWS)).encode()


def parquet():
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), sink)
    return sink.getvalue()


def arrow(opened):
    sink, table = io.BytesIO(), pyarrow.Table.from_pylist(ROWS)
    with opened(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def comma_separated():
    sink = io.StringIO()
    writer = csv.DictWriter(sink, ["prompt", "completion"])
    writer.writeheader()
    writer.writerows(TEXTS)
    return sink.getvalue().encode()


WHOLE = {
    "lines.jsonl": LINES,
    "lines.jsonl.gz": gzip.compress(LINES),
    "array.json": json.dumps(ROWS, indent=1).encode(),
    "table.parquet": parquet(),
    "file.arrow": arrow(pyarrow.ipc.new_file),
    "stream.arrow": arrow(pyarrow.ipc.new_stream),
    "table.csv": comma_separated(),
}


def damaged(content, draw):
    changed = bytearray(content)
    for _ in range(draw.choice([1, 1, 2, 8])):
        place = draw.randrange(len(changed) or 1)
        match draw.randrange(5):
            case 0:
                changed[place : place + 1] = draw.randbytes(1)
            case 1:
                del changed[place:]
            case 2:
                changed[place:place] = draw.randbytes(draw.randrange(1, 9))
            case 3:
                del changed[place : place + draw.randrange(1, 20)]
            case 4:
                changed[place : place + 8] = draw.choice([b"\0" * 8, b"\xff" * 8, b"\xff\xff\xff\x7f" * 2])
    return bytes(changed)


def fault_of(row):
    if row.fault:
        return row.fault
    try:
        dialogue_of(row.values)
    except BadRow as fault:
        return fault
    return None


@pytest.mark.parametrize("name", WHOLE)
def test_damage_is_a_fault_with_a_place(tmp_path, name):
    draw = random.Random(name)
    path = tmp_path / name
    found = 0
    for _ in range(DAMAGES):
        path.write_bytes(damaged(WHOLE[name], draw))
        faults = [(row.place.number, fault) for row in read_rows(path) if (fault := fault_of(row))]
        assert all(number >= 1 and str(fault) and "\n" not in str(fault) for number, fault in faults)
        found += bool(faults)
    assert found > DAMAGES // 2


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_has_no_fault_and_is_read_in_part_as_in_whole(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(WHOLE[name])
    rows = list(read_rows(path))
    assert [fault_of(row) for row in rows] == [None] * 6
    assert [row.values for row in rows] == (TEXTS if name.endswith(".csv") else ROWS)
    assert count_rows(path) == 6
    assert list(read_rows(path, {1, 4}.__contains__)) == [rows[1], rows[4]]


def test_every_format_is_tested():
    assert all(any(name.endswith(ending) for name in WHOLE) for ending in FORMATS)
