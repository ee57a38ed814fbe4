"""Rows for KTO as pairs: which rows are matched, in which order, and where messages say that they are."""

import json
import random

import pyarrow
import pyarrow.parquet
import pytest
from alignment_api.run_config import Paths
from alignment_api.spec.data import Dataset
from alignment_trainer.failures import BadData
from alignment_trainer.forms.examples import Pair
from alignment_trainer.forms.pairs import labelled_rows
from alignment_trainer.forms.pairs.labelled_rows import find_pairs
from alignment_trainer.forms.rows import read_pair
from alignment_trainer.reading.row_survey import Seen, survey
from dialogue_rows import dialogue_of
from pair_rows import pair_of


def labelled(prompt, completion, label, **others):
    return {"prompt": prompt, "completion": completion, "label": label, **others}


def user(content):
    return {"role": "user", "content": content}


def assistant(content):
    return {"role": "assistant", "content": content}


ROWS = [
    labelled("a", "good a1", True),
    labelled("b", "bad b1", False),
    labelled("a", "good a2", True),
    labelled("a", "bad a1", False),
    labelled("c", "good c1", True),
    labelled("b", "good b1", True),
    labelled("a", "bad a2", False),
    labelled("a", "bad a3", False),
]
PAIRS = [("a", "good a1", "bad a1"), ("b", "good b1", "bad b1"), ("a", "good a2", "bad a2")]
PLACES = ["rows.jsonl:1 and rows.jsonl:4", "rows.jsonl:2 and rows.jsonl:6", "rows.jsonl:3 and rows.jsonl:7"]


@pytest.fixture
def find(tmp_path):
    """Return the pairs of files with these rows."""

    def found(rows=(), columns=None, **files):
        for name, content in (files or {"rows": rows}).items():
            (tmp_path / "set" / f"{name}.jsonl").parent.mkdir(exist_ok=True)
            (tmp_path / "set" / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in content))
        return find_pairs(Dataset(uri="workspace://set", columns=columns), Paths(workspace=str(tmp_path), stage=str(tmp_path)))

    return found


def read(source, wanted=None):
    return [(row.values["prompt"], row.values["chosen"], row.values["rejected"]) for row in source.rows(wanted)]


def test_the_first_good_answer_to_a_prompt_is_matched_with_its_first_bad_one(find):
    source = find(ROWS)
    assert read(source) == PAIRS
    assert [row.place.replace("set/", "") for row in source.rows()] == PLACES
    assert source.counts == [3]
    assert source.unmatched == 2


@pytest.mark.parametrize("wanted", [{0}, {1}, {2}, {0, 2}, set()])
def test_pairs_are_read_by_their_positions(find, wanted):
    assert read(find(ROWS), frozenset(wanted)) == [pair for position, pair in enumerate(PAIRS) if position in wanted]


def test_a_pair_may_be_in_two_files(find):
    source = find(one=ROWS[:3], two=ROWS[3:])
    assert read(source) == PAIRS
    assert next(source.rows()).place == "set/one.jsonl:1 and set/two.jsonl:1"


def test_rows_wait_for_the_other_one_on_the_disk_if_they_need_much_memory(find, monkeypatch):
    monkeypatch.setattr(labelled_rows, "_IN_MEMORY_BYTES", 10)
    assert read(find(ROWS)) == PAIRS


def test_parquet_is_read_like_jsonl(tmp_path):
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "rows.parquet")
    source = find_pairs(Dataset(uri="workspace://rows.parquet"), Paths(workspace=str(tmp_path), stage=str(tmp_path)))
    assert read(source) == PAIRS
    assert next(source.rows()).place == "rows.parquet: row 1 and rows.parquet: row 4"


@pytest.mark.parametrize(
    ("good", "bad", "pair"),
    [
        (labelled("Why?", " So.", True), labelled("Why?", " No.", False), Pair("Why?", " So.", " No.")),
        (
            labelled([user("Why?")], [assistant("So.")], True),
            labelled([user("Why?")], [assistant("No.")], False),
            Pair([user("Why?")], [assistant("So.")], [assistant("No.")]),
        ),
        # distilabel-intel-orca-kto
        (
            labelled("Why?", "So.", True, system="", rating=9.0, status="unchanged"),
            labelled("Why?", "No.", False, system="", rating=5.0, status="unchanged"),
            Pair([user("Why?")], [assistant("So.")], [assistant("No.")]),
        ),
        # LLaMA-Factory
        (
            {"messages": [user("Why?"), assistant("So.")], "label": True},
            {"messages": [user("Why?"), assistant("No.")], "label": False},
            Pair([user("Why?")], [assistant("So.")], [assistant("No.")]),
        ),
        (
            {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}], "kto_tag": True},
            {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "No."}], "kto_tag": False},
            Pair([user("Why?")], [assistant("So.")], [assistant("No.")]),
        ),
        (
            {"instruction": "Add.", "input": "1", "output": "So.", "kto_tag": True},
            {"instruction": "Add.", "input": "1", "output": "No.", "kto_tag": False},
            Pair([user("Add.\n\n1")], [assistant("So.")], [assistant("No.")]),
        ),
    ],
)
def test_forms_of_labelled_rows(find, good, bad, pair):
    for rows in ([good, bad], [bad, good]):
        assert [pair_of(row.values) for row in find(rows).rows()] == [pair]


@pytest.mark.parametrize("seed", range(20))
def test_rows_in_any_order_are_matched_in_the_order_of_the_file(find, seed):
    draw = random.Random(seed)
    rows = [labelled(draw.choice("abcd"), str(number), draw.random() < 0.5) for number in range(1, 41)]
    expected = []
    for prompt in "abcd":
        good, bad = (
            [row["completion"] for row in rows if (row["prompt"], row["label"]) == (prompt, is_good)] for is_good in (1, 0)
        )
        expected += [(prompt, *pair) for pair in zip(good, bad, strict=False)]
    source = find(rows)
    assert read(source) == sorted(expected, key=lambda pair: max(map(int, pair[1:])))
    assert source.unmatched == 40 - 2 * len(expected)


def test_a_damaged_first_row_does_not_hide_the_labels(find, tmp_path):
    find(ROWS)
    path = tmp_path / "set" / "rows.jsonl"
    path.write_text(f"{{\n{path.read_text()}")
    source = find_pairs(Dataset(uri="workspace://set"), Paths(workspace=str(tmp_path), stage=str(tmp_path)))
    assert [row.place for row in source.rows() if row.fault] == ["set/rows.jsonl:1"]
    assert sum(source.counts) == 1 + len(PAIRS)


def test_rows_with_different_system_messages_are_not_matched(find):
    rows = [labelled("a", "b", True, system="Be kind."), labelled("a", "c", False, system="Be short.")]
    with pytest.raises(BadData, match="no prompt with both a good and a bad answer"):
        find(rows)


def test_a_mapping_names_the_columns(find):
    rows = [{"q": "a", "a": text, "good": text == "yes"} for text in ("yes", "no")]
    (pair,) = find(rows, columns={"prompt": "q", "answer": "a", "label": "good"}).rows()
    assert pair_of(pair.values) == Pair([user("a")], [assistant("yes")], [assistant("no")])


def test_what_a_mapping_does_not_name_of_both_rows_is_listed(find):
    rows = [{"q": "a", "a": "yes", "good": True, "source": "web"}, {"q": "a", "a": "no", "good": False, "why": "short"}]
    (pair,) = find(rows, columns={"prompt": "q", "answer": "a", "label": "good"}).rows()
    read = read_pair(pair.values)
    assert (read.form, read.unread) == ("columns, read as prompt and two answers", ("source", "why"))


@pytest.mark.parametrize("column", ["tools", "functions", "history", "system"])
@pytest.mark.parametrize(
    "row",
    [
        {"prompt": [user("a")], "completion": [assistant("b")]},
        {"instruction": "a", "output": "b"},
        {"messages": [user("a"), assistant("b")]},
        {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
    ],
)
def test_answers_after_something_else_are_not_matched(find, row, column):
    before = {"tools": [{"name": "f"}], "functions": [{"name": "f"}], "history": [["a", "b"]], "system": "a"}
    good, bad = {**row, "label": True}, {**row, "label": False}
    with pytest.raises(BadData, match="no prompt with both a good and a bad answer"):
        find([{**good, column: before[column]}, bad])
    assert find([{**good, column: before[column]}, {**bad, column: before[column]}]).counts == [1]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "a", "completion": "b", "system": "Be kind."},
        {"prompt": "a", "completion": "b", "history": [["c", "d"]]},
        {"prompt": "a", "completion": "b", "system": None},
        {"prompt": "\n\nHuman: a\n\nAssistant:", "completion": "b", "system": ""},
        {"prompt": [user("a")], "completion": [assistant("b")], "system": "Be kind.", "tools": [{"name": "f"}]},
    ],
)
def test_a_stage_of_kind_sft_sees_the_same_prompt(find, row):
    rows = [{**row, "label": True}, {**row, "label": False}]
    (pair,) = [pair_of(found.values) for found in find(rows).rows()]
    learned = dialogue_of(rows[0])
    assert (learned.prompt, learned.answer, learned.tools) == (pair.prompt, pair.chosen, pair.tools)


def test_a_bad_answer_with_an_image_is_refused_too(find):
    source = find([*ROWS, labelled("c", "bad c1", False, image="pig.png")])
    assert [str(row.fault).partition(";")[0] for row in source.rows() if row.fault] == ["has image, and only text can be learned"]


@pytest.mark.parametrize(
    "rows",
    [
        [{"prompt": "a", "chosen": "b", "rejected": "c", "label": True}],
        [{"prompt": "a", "completion": "b"}],
        [],
    ],
)
def test_other_rows_are_left_as_they_are(find, rows):
    assert [row.values for row in find(rows).rows()] == rows


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"prompt": "a", "completion": "b"}, "has no prompt, answer and label, but the first row of its dataset has"),
        (labelled("a", "b", None), "has no prompt, answer and label"),
        (labelled("a", "b", 1), "label is 1, which may mean false or true"),
        ({"messages": [assistant("b")], "label": True}, "messages must be a list of at least two messages"),
        ({"messages": "b", "label": True}, "messages must be a list of at least two messages"),
    ],
)
def test_a_row_that_is_not_like_the_first_is_refused_with_its_place(find, row, fault):
    source = find([*ROWS, row])
    assert [found.place for found in source.rows() if found.fault] == ["set/rows.jsonl:9"]
    assert next(str(found.fault) for found in source.rows() if found.fault).startswith(fault)
    assert [row.values["prompt"] for row in source.rows() if not row.fault] == ["a", "b", "a"]


def test_all_processes_of_the_survey_together_read_each_pair_once(find):
    rows = [labelled(str(number), f" {answer}", answer == "good") for answer in ("good", "bad") for number in range(5100)]
    found = survey(find(rows), lambda row: Seen(form=read_pair(row.values).example.chosen), "checking")
    assert (found.rows, found.unused, found.forms) == (5100, {}, {" good": 5100})
