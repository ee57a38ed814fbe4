"""Rows that are read through a mapping of columns, and what such a mapping cannot read."""

import json
import pickle

import pytest
from alignment_api.run_config import Paths
from alignment_api.spec.data import Columns, Dataset
from alignment_trainer.forms.columns import find_rows, mapped
from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.forms.left_out import LeftOut
from alignment_trainer.forms.rows import read_dialogue
from alignment_trainer.reading.bad_row import BadRow
from dialogue_rows import dialogue_of
from pair_rows import pair_of

ASK = {"role": "user", "content": "Why?"}
GOOD = {"role": "assistant", "content": "Because."}
BAD = {"role": "assistant", "content": "Go away."}
KIND = {"role": "system", "content": "Be kind."}
ASKED = {"prompt": "q", "answer": "a"}
COMPARED = {"prompt": "q", "chosen": "good", "rejected": "bad"}

DIALOGUES = [
    ("question and answer", ASKED, {"q": "Why?", "a": "Because."}, Dialogue(None, [ASK, GOOD])),
    (
        "names of another form",
        {"prompt": "output", "answer": "prompt"},
        {"output": "Why?", "prompt": "Because."},
        Dialogue(None, [ASK, GOOD]),
    ),
    (
        "a column of another form beside them",
        ASKED,
        {"q": "Why?", "a": "Because.", "messages": [ASK, BAD]},
        Dialogue(None, [ASK, GOOD]),
    ),
    (
        "with context",
        {**ASKED, "context": "c"},
        {"q": "Add.", "c": "1, 2", "a": "3"},
        Dialogue(None, [{**ASK, "content": "Add.\n\n1, 2"}, {**GOOD, "content": "3"}]),
    ),
    (
        "empty context and system",
        {**ASKED, "context": "c", "system": "s"},
        {"q": "Why?", "c": "", "s": None, "a": "Because."},
        Dialogue(None, [ASK, GOOD]),
    ),
    (
        "with a system message",
        {**ASKED, "system": "s"},
        {"q": "Why?", "s": "Be kind.", "a": "Because."},
        Dialogue(None, [KIND, ASK, GOOD]),
    ),
    (
        "dotted paths",
        {"prompt": "in.text", "answer": "out.0.text"},
        {"in": {"text": "Why?"}, "out": [{"text": "Because."}]},
        Dialogue(None, [ASK, GOOD]),
    ),
    (
        "a column with a dot in its name",
        {"prompt": "q.en", "answer": "a"},
        {"q.en": "Why?", "q": {"en": "no"}, "a": "Because."},
        Dialogue(None, [ASK, GOOD]),
    ),
    (
        "system below null",
        {**ASKED, "system": "meta.system"},
        {"q": "Why?", "a": "Because.", "meta": None},
        Dialogue(None, [ASK, GOOD]),
    ),
    ("earlier turns and an answer", ASKED, {"q": [ASK, BAD, ASK], "a": "Because."}, Dialogue([ASK, BAD, ASK], [GOOD])),
    (
        "earlier turns and a system message",
        {**ASKED, "system": "s"},
        {"q": [ASK], "a": [GOOD], "s": "Be kind."},
        Dialogue([KIND, ASK], [GOOD]),
    ),
    ("a question and messages", ASKED, {"q": "Why?", "a": [GOOD]}, Dialogue([ASK], [GOOD])),
    ("messages", {"messages": "chat"}, {"chat": [ASK, GOOD]}, Dialogue(None, [ASK, GOOD])),
    (
        "messages below an object",
        {"messages": "data.chat", "system": "s"},
        {"data": {"chat": [ASK, GOOD]}, "s": "Be kind."},
        Dialogue(None, [KIND, ASK, GOOD]),
    ),
    (
        "turns of ShareGPT",
        {"messages": "chat", "system": "s"},
        {"chat": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "Because."}], "s": "Be kind."},
        Dialogue(None, [KIND, ASK, GOOD]),
    ),
    ("texts in turn", {"messages": "data"}, {"data": ["Why?", "Because."]}, Dialogue(None, [ASK, GOOD])),
    ("a plain text", {"text": "body"}, {"body": "Once upon a time.", "messages": [ASK, GOOD]}, Dialogue("", "Once upon a time.")),
]

PAIRS = [
    ("texts", COMPARED, {"q": "Why?", "good": "Because.", "bad": "Go away."}, Pair([ASK], [GOOD], [BAD])),
    (
        "with a system message",
        {**COMPARED, "system": "s"},
        {"q": "Why?", "good": "Because.", "bad": "Go away.", "s": "Be kind."},
        Pair([KIND, ASK], [GOOD], [BAD]),
    ),
    (
        "ranked answers in a list",
        {"prompt": "q", "chosen": "a.0", "rejected": "a.1"},
        {"q": "Why?", "a": ["Because.", "Go away."]},
        Pair([ASK], [GOOD], [BAD]),
    ),
    ("messages", COMPARED, {"q": [ASK], "good": [GOOD], "bad": [BAD]}, Pair([ASK], [GOOD], [BAD])),
    (
        "whole dialogues",
        {"chosen": "good", "rejected": "bad"},
        {"good": [ASK, GOOD], "bad": [ASK, BAD]},
        Pair([ASK], [GOOD], [BAD]),
    ),
]


@pytest.mark.parametrize(("columns", "row", "dialogue"), [case[1:] for case in DIALOGUES], ids=[case[0] for case in DIALOGUES])
def test_dialogues(columns, row, dialogue):
    assert dialogue_of(mapped(row, Columns.parse(columns))) == dialogue


@pytest.mark.parametrize(("columns", "row", "pair"), [case[1:] for case in PAIRS], ids=[case[0] for case in PAIRS])
def test_pairs(columns, row, pair):
    assert pair_of(mapped(row, Columns.parse(columns))) == pair


FAULTS = [
    ({"q": "Why?", "b": "x"}, "has no a, which columns.answer names, but has b, q; correct columns or the row"),
    ({"q": "Why?", "a": None}, "has null in a, which columns.answer names; fill it or remove the row"),
    ({"q": " ", "a": "Because."}, "q is empty; fill it or remove the row"),
    ({"q": "Why?", "a": 3}, "a is not text; correct it"),
    ({"q": "Why?", "a": "x\ud800"}, "a contains half of a character"),
]


@pytest.mark.parametrize(("row", "fault"), FAULTS)
def test_faults_name_the_columns_of_the_file(row, fault):
    with pytest.raises(BadRow, match=f"^{fault}"):
        mapped(row, Columns.parse(ASKED))


@pytest.mark.parametrize(
    ("columns", "row", "fault"),
    [
        (
            {"prompt": "in.text", "answer": "a"},
            {"in": "Why?", "a": "b"},
            "has no in.text, which columns.prompt names, but has a, in",
        ),
        ({"prompt": "q.2", "answer": "a"}, {"q": ["b", "c"], "a": "b"}, "has no q.2, which columns.prompt names"),
        # A misspelt optional column would otherwise lose its text in every row.
        (
            {**ASKED, "context": "contxt"},
            {"q": "Add.", "a": "3", "context": "1, 2"},
            "has no contxt, which columns.context names",
        ),
        ({**ASKED, "context": "c"}, {"q": [ASK], "a": "3", "c": "1"}, "c cannot be added to q, which is a list of messages"),
        ({"messages": "chat"}, {"chat": "Why?"}, "chat must be a list of messages"),
        ({"messages": "chat"}, {"chat": []}, "chat must be a list of messages"),
        ({"text": "body"}, {"body": ""}, "body is empty"),
        ({"text": "body"}, {"body": ["a"]}, "body is not text"),
        (ASKED, {"q": "What is this?", "a": "A pig.", "image": "pig.png"}, "has image, and only text can be learned"),
    ],
)
def test_faults_of_other_mappings(columns, row, fault):
    with pytest.raises(BadRow, match=f"^{fault}"):
        dialogue_of(mapped(row, Columns.parse(columns)))


def test_what_a_mapping_does_not_name_is_listed():
    columns = Columns.parse({"prompt": "in.text", "answer": "a.b", "system": "s"})
    row = {"in": {"text": "Why?"}, "a.b": "Because.", "s": None, "a": 1, "id": 7, "note": "", "output": "x"}
    read = read_dialogue(mapped(row, columns))
    assert (read.form, read.unread) == ("columns, read as messages", ("a", "id", "output"))


def test_a_column_that_a_mapping_does_not_name_is_listed_without_its_control_characters():
    row = {"q": "Why?", "a": "Because.", "\x1b[2J\n": "x"}
    assert read_dialogue(mapped(row, Columns.parse(ASKED))).unread == (r"\x1b[2J\n",)


def test_a_mapped_row_reaches_other_processes_whole():
    row = mapped({"q": "Why?", "a": "Because.", "id": 7}, Columns.parse(ASKED))
    assert pickle.loads(pickle.dumps(row)).unread == ("id",)


def test_a_bad_answer_is_not_learned_through_a_mapping_either():
    with pytest.raises(LeftOut):
        read_dialogue(mapped({"q": "Why?", "a": "Go away.", "label": False}, Columns.parse(ASKED)))


@pytest.mark.parametrize(
    ("label", "unread"),
    [(0, ("label",)), (1, ("label",)), (2, ("label",)), ("no", ("label",)), (True, ()), ("true", ()), (None, ())],
)
def test_a_label_that_is_not_named_is_read_only_if_it_is_true_or_false(label, unread):
    read = read_dialogue(mapped({"q": "Why?", "a": "Because.", "label": label}, Columns.parse(ASKED)))
    assert (read.example, read.unread) == (Dialogue(None, [ASK, GOOD]), unread)


@pytest.mark.parametrize(("label", "read"), [(True, True), (0, False), (1, True), ("false", "false")])
def test_a_label_that_is_named_may_be_a_number(label, read):
    row = mapped({"q": "Why?", "a": "Because.", "good": label}, Columns.parse({**ASKED, "label": "good"}))
    assert row == {"prompt": [ASK], "completion": [GOOD], "label": read}


def test_tools_go_with_their_dialogue():
    tool = {"type": "function", "function": {"name": "add", "parameters": {}}}
    columns = Columns.parse({"messages": "chat", "tools": "t"})
    for given, expected in ((json.dumps([tool]), [tool]), ([tool], [tool]), (None, None), ("", None)):
        assert dialogue_of(mapped({"chat": [ASK, GOOD], "t": given}, columns)) == Dialogue(None, [ASK, GOOD], expected)


def test_rows_of_a_dataset_keep_their_places_and_faults(tmp_path):
    lines = [json.dumps({"q": "Why?", "a": "Because."}), "{", json.dumps({"q": "Why?"})]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    dataset = Dataset.parse({"uri": "workspace://rows.jsonl", "columns": ASKED})
    source = find_rows(dataset, Paths(workspace=str(tmp_path), stage="unused"))
    first, second, third = source.rows()
    assert (first.place, first.values, first.fault) == ("rows.jsonl:1", {"messages": [ASK, GOOD]}, None)
    assert str(second.fault).startswith("is not valid JSON")
    assert (third.place, str(third.fault).partition(",")[0]) == ("rows.jsonl:3", "has no a")
    assert [row.place for row in source.rows({2})] == ["rows.jsonl:3"]
