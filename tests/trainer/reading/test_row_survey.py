"""Any number of processes find the same in a survey of rows."""

import json
from collections import Counter
from functools import partial

import pyarrow
import pyarrow.parquet
import pytest
from alignment_api.run_config import Paths
from alignment_api.spec.data import Dataset
from alignment_trainer.checks.datasets import ExampleCheck, see_row
from alignment_trainer.forms.rows import read_dialogue
from alignment_trainer.reading import row_survey
from alignment_trainer.reading.row_survey import Survey, Unused, survey
from alignment_trainer.reading.sources import find_source

UNANSWERED = (3, 255, 256, 700)


def rows(fault=None):
    made = [{"prompt": "a", "completion": "" if index in UNANSWERED else "b"} for index in range(2000)]
    if fault is not None:
        made[fault] = {"prompt": "a"}
    return made


def write(path, rows):
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("\n\n".join(json.dumps(row) for row in rows))


@pytest.fixture(params=[1, 2, 3])
def processes(request, monkeypatch):
    monkeypatch.setattr(row_survey, "_FEWEST_ROWS_TO_SPREAD", 10)
    monkeypatch.setattr(row_survey, "worker_count", lambda: request.param)


def found(tmp_path, uri="workspace://rows"):
    paths = Paths(workspace=str(tmp_path), stage=str(tmp_path / "stage"))
    source = find_source(Dataset(uri=uri), paths)
    return survey(source, partial(see_row, ExampleCheck(read_dialogue)), "checking")


@pytest.mark.parametrize(
    ("name", "place"), [("b.jsonl", "rows/b.jsonl:7"), ("b.parquet", "rows/b.parquet: row 4"), ("b.json", "rows/b.json: row 4")]
)
def test_all_rows_of_all_files_are_counted(tmp_path, processes, name, place):
    (tmp_path / "rows").mkdir()
    write(tmp_path / "rows" / "a.jsonl", [{"prompt": "a", "completion": "b"}] * 500)
    write(tmp_path / "rows" / name, rows())
    write(tmp_path / "rows" / "c.jsonl", rows())
    index, number = 1, int(place.rpartition(":")[2].rpartition(" ")[2])
    forms = Counter(completion=4500)
    assert found(tmp_path) == Survey(4500, {"nothing_answered": Unused(8, (index, number, place))}, forms)


def test_each_reason_is_counted_with_its_first_row(tmp_path, processes):
    bad = {"prompt": "a", "completion": "b", "label": False}
    made = rows()
    made[100], made[600] = bad, bad
    write(tmp_path / "rows.jsonl", made)
    assert found(tmp_path, "workspace://rows.jsonl").unused == {
        "nothing_answered": Unused(4, (0, 7, "rows.jsonl:7")),
        "labelled_bad": Unused(2, (0, 201, "rows.jsonl:201")),
    }


@pytest.mark.parametrize("fault", [0, 256, 1999])
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.parquet"])
def test_one_unreadable_row_ends_the_survey(tmp_path, processes, name, fault):
    write(tmp_path / name, rows(fault))
    assert found(tmp_path, f"workspace://{name}") is None


def test_a_file_that_ends_in_the_middle_is_found(tmp_path, processes):
    write(tmp_path / "rows.parquet", rows())
    content = (tmp_path / "rows.parquet").read_bytes()
    (tmp_path / "rows.parquet").write_bytes(content[:-20])
    assert found(tmp_path, "workspace://rows.parquet") is None


def test_a_source_without_rows_has_an_empty_survey(tmp_path, processes):
    write(tmp_path / "rows.jsonl", [])
    assert found(tmp_path, "workspace://rows.jsonl") == Survey()
