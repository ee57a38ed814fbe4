"""Samples as a list and as files."""

import csv
import io
import json

from alignment_dashboard.facts.sample_table import listed, write_csv, write_json_lines
from alignment_dashboard.facts.samples import Output, Sample

OUTPUTS = [Output("base", 0, [], "uid", "model"), Output("dpo", 100, [], "uid", "model")]
SAMPLES = [
    Sample("k", 'a "prompt",\nin two lines', ("one two three", "one two four five"), {"chosen": "c", "rejected": "=1+1"}),
    Sample("l", "\u202e half \ud83d", (None, ""), {}),
]


def test_a_row_of_the_list_is_one_line() -> None:
    assert listed(SAMPLES) == [
        {"Prompt": 'a "prompt", in two lines', "Changed": 43, "Words": 4},
        {"Prompt": r"\u202e half \ud83d", "Changed": None, "Words": 0},
    ]
    assert len(listed([Sample("k", "x" * 100_000, (), {})])[0]["Prompt"]) == 80


def test_csv_has_all_texts_as_they_are() -> None:
    rows = list(csv.DictReader(io.StringIO(write_csv(OUTPUTS, SAMPLES).decode(), newline="")))
    assert list(rows[0]) == ["key", "prompt", "base", "dpo, step 100", "chosen", "rejected", "reference"]
    assert rows[0]["prompt"] == 'a "prompt",\nin two lines'
    assert (rows[0]["rejected"], rows[0]["reference"], rows[1]["base"]) == ("=1+1", "", "")


def test_json_lines_have_all_texts_as_they_are() -> None:
    first, second = map(json.loads, write_json_lines(OUTPUTS, SAMPLES).decode().splitlines())
    assert first == {
        "key": "k",
        "prompt": 'a "prompt",\nin two lines',
        "base": "one two three",
        "dpo, step 100": "one two four five",
        "chosen": "c",
        "rejected": "=1+1",
    }
    assert (second["prompt"], second["base"]) == ("\u202e half \ud83d", None)
