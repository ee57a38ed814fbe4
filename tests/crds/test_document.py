"""YAML is read as the API server reads it."""

from pathlib import Path
from typing import Any

import pytest
from alignment_api.document import UnreadableDocument, leaf_comments, parse_document, read_document, write_documents

AS_THE_API_SERVER: list[tuple[str, Any]] = [
    # numbers
    ("12", 12),
    ("+1", 1),
    ("-0", 0),
    ("0", 0),
    ("010", 8),
    ("-010", -8),
    ("08", 8),
    ("0o10", 8),
    ("0O17", 15),
    ("0b11", 3),
    ("-0b11", -3),
    ("0x1F", 31),
    ("+0X1f", 31),
    ("1_000", 1000),
    ("1__0_", 10),
    ("0x_1", 1),
    ("9223372036854775807", 9223372036854775807),
    ("12345678901234567890123", 12345678901234567890123.0),
    ("1.5", 1.5),
    ("1.0", 1),
    ("5.", 5),
    (".5", 0.5),
    ("+.5", 0.5),
    (".5_0", 0.5),
    ("-0.0", 0),
    ("00.5", 0.5),
    ("5e-7", 5e-7),
    ("1e3", 1000),
    ("-3E+2", -300),
    (".5e3", 500),
    ("2.0e-05", 2e-5),
    ("1e-400", 0),
    # texts that look like numbers
    ("1:30", "1:30"),
    ("190:20:30", "190:20:30"),
    ("5e-7x", "5e-7x"),
    ("1e", "1e"),
    ("0x", "0x"),
    ("0b2", "0b2"),
    ("0o8", "0o8"),
    ("0x1p3", "0x1p3"),
    ("_1", "_1"),
    ("._5", "._5"),
    ("--1", "--1"),
    ("+", "+"),
    ("1e400", "1e400"),
    ("1" * 5000, "1" * 5000),
    ("0x1FFFFFFFFFFFFFFFF", "0x1FFFFFFFFFFFFFFFF"),
    ("1.5.2", "1.5.2"),
    ("1,000", "1,000"),
    ("inf", "inf"),
    ("NaN", "NaN"),
    ("\uff11", "\uff11"),
    ("'5e-7'", "5e-7"),
    ('"010"', "010"),
    # words
    *((word, True) for word in ("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y")),
    *((word, False) for word in ("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N")),
    *((word, None) for word in ("", "~", "null", "Null", "NULL", "#x")),
    *((word, word) for word in ("tRue", "nUll", "yEs", "=", "<<", "e3")),
    ("'no'", "no"),
    # dates
    ("2024-01-01", "2024-01-01"),
    ("2024-13-45", "2024-13-45"),
    ("2001-12-14t21:59:43.10-05:00", "2001-12-14t21:59:43.10-05:00"),
    # tags
    ("!!str 010", "010"),
    ("!!str", ""),
    ("! 010", "010"),
    ('!!int "7"', 7),
    ("!!float 1", 1),
    ('!!bool "yes"', True),
    ('!!null ""', None),
    # collections
    ("[1, 010, yes]", [1, 8, True]),
    ("{a, b}", {"a": None, "b": None}),
    ("{a: &x 1, b: *x}", {"a": 1, "b": 1}),
    ("{2024-01-01: a}", {"2024-01-01": "a"}),
    ("{1:30: a}", {"1:30": "a"}),
    ("{a: &x {b: 1, c: 2}, d: {<<: *x, b: 3}}", {"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}}),
    ("{a: &x {b: 1}, d: {b: 3, <<: *x}}", {"a": {"b": 1}, "d": {"b": 1}}),
    ("{d: {<<: [{b: 1}, {b: 2, c: 3}]}}", {"d": {"b": 1, "c": 3}}),
    ("{<<: {<<: {a: 1}, b: 2}}", {"a": 1, "b": 2}),
    ('{"<<": {a: 1}}', {"<<": {"a": 1}}),
    ("&a [" + "x, " * 20 + "]\nb: [" + "*a, " * 200 + "]", ["x"] * 20),
]
"""What `kubectl create --dry-run=client -o json` of Kubernetes 1.37 made of `a: TEXT`."""


@pytest.mark.parametrize(("text", "value"), AS_THE_API_SERVER, ids=[repr(row[0])[:40] for row in AS_THE_API_SERVER])
def test_a_value_is_what_the_api_server_reads(text: str, value: Any) -> None:
    read = parse_document(f"a: {text}\n", "file")["a"]
    assert read == value
    assert type(read) is type(value)


BOMB = "a0: &a0 [x, x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
TOWER = "a0: &a0 [[[x]]]\n" + "".join(f"a{n}: &a{n} [[[*a{n - 1}]]]\n" for n in range(1, 40))
REFUSED: list[tuple[str, str]] = [
    # written wrongly
    ("a: [1\nb: 2\n", "job.yaml:2: "),
    ("a: 1\n\tb: 2\n", "job.yaml:2: found character '\\t' that cannot start any token; correct the line"),
    ("a: -\n", "job.yaml:1: "),
    ("a: [*x]\n", "job.yaml:1: found undefined alias 'x'; correct the line"),
    ("a: 1\nb: \x00", "job.yaml:2: has the character U+0000, which YAML does not allow; remove it"),
    ("a: 1\nb: \x7f", "job.yaml:2: has the character U+007F, which YAML does not allow; remove it"),
    ('a: "\\ud83d"\n', "job.yaml:1: has half of a character, which only JSON can escape; write the character itself"),
    ("", "job.yaml: holds 0 documents; give a file with exactly one AlignmentJob"),
    ("# nothing\n---\n", "job.yaml: holds 0 documents; give a file with exactly one AlignmentJob"),
    ("a: 1\n---\nb: 1\n", "job.yaml: holds 2 documents; give a file with exactly one AlignmentJob"),
    # what JSON does not have
    ("a: .inf\n", "job.yaml:1: .inf is a number that JSON does not have; write another"),
    ("a: +.INF\n", "job.yaml:1: +.INF is a number that JSON does not have; write another"),
    ("a: .nan\n", "job.yaml:1: .nan is a number that JSON does not have; write another"),
    *(
        (
            f"a:\n  b: {tag} {value}\n",
            f"job.yaml:2: the tag {tag} is none of JSON's types, or does not fit to the value; remove it",
        )
        for tag, value in (
            ("!!binary", "aGVsbG8="),
            ("!!set", "{a, b}"),
            ("!!omap", "[a: 1]"),
            ("!!timestamp", "2024-01-01"),
            ("!!python/name:os.system", "x"),
            ("!mine", "1"),
            ("!!int", "x"),
            ("!!int", "yes"),
            ("!!null", "x"),
            ("!!str", "[a]"),
        )
    ),
    # keys
    ("a: 1\nb: 2\na: 3\n", "job.yaml:3: 'a' is set twice; correct the line"),
    ("a: 1\n'a': 2\n", "job.yaml:2: 'a' is set twice; correct the line"),
    ("a:\n  No: x\n", "job.yaml:2: the key No is read as false, not as text; write it in quotes"),
    ("y: x\n", "job.yaml:1: the key y is read as true, not as text; write it in quotes"),
    ("010: x\n", "job.yaml:1: the key 010 is read as 8, not as text; write it in quotes"),
    ("~: x\n", "job.yaml:1: the key ~ is read as null, not as text; write it in quotes"),
    ("? \n: x\n", "job.yaml:1: the key (empty) is read as null, not as text; write it in quotes"),
    ("? [a, b]\n: c\n", "job.yaml:1: a list or an object cannot be a key; write the key as text"),
    ("a: {<<: 1}\n", "job.yaml:1: << needs an object or a list of objects; correct the line"),
    ("a: {<<: [1]}\n", "job.yaml:1: << needs an object or a list of objects; correct the line"),
    # too deep, too large, without end
    (
        "[" * 10_000 + "]" * 10_000,
        "job.yaml:1: more than 50 levels, with those that references repeat; an AlignmentJob has fewer",
    ),
    ("- " * 10_000, "job.yaml:1: more than 50 levels, with those that references repeat; an AlignmentJob has fewer"),
    (
        "".join(" " * depth + "a:\n" for depth in range(1_000)),
        "job.yaml:50: more than 50 levels, with those that references repeat; an AlignmentJob has fewer",
    ),
    ("a: 1\nb: &a [*a]\n", "job.yaml:2: *a repeats a value that contains *a itself; remove it"),
    ("a: &a\n  b:\n    c: *a\n", "job.yaml:3: *a repeats a value that contains *a itself; remove it"),
    ("a: &a {<<: *a}\n", "job.yaml:1: *a repeats a value that contains *a itself; remove it"),
    (TOWER, "job.yaml:17: more than 50 levels, with those that references repeat; an AlignmentJob has fewer"),
    (BOMB, "job.yaml:8: more than 10000 values, with those that references repeat; an AlignmentJob has fewer"),
    (
        f"a: &a {'x' * 100_000}\nb: [{'*a, ' * 1000}]\n",
        "job.yaml:2: more than 10000 values, with those that references repeat; an AlignmentJob has fewer",
    ),
    ("a:\n" + "- x\n" * 20_000, "job.yaml:10001: more than 10000 values, with those that references repeat"),
]


@pytest.mark.parametrize(("text", "sentence"), REFUSED, ids=[repr(row[0])[:40] for row in REFUSED])
def test_an_unreadable_document_is_refused_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(UnreadableDocument) as refused:
        parse_document(text, "job.yaml")
    assert str(refused.value).startswith(sentence)
    assert "\n" not in str(refused.value)


def test_a_byte_order_mark_and_windows_lines_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_bytes(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n")
    assert read_document(tmp_path / "job.yaml") == {"a": 1, "b": 2}


def test_a_missing_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match="there is no such file; check the path"):
        read_document(tmp_path / "no.yaml")
    with pytest.raises(UnreadableDocument, match="is a folder; name a file"):
        read_document(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"a: 1\nb: \xe9")
    with pytest.raises(UnreadableDocument, match=r"latin.yaml:2: is not text in UTF-8; save the file as UTF-8$"):
        read_document(tmp_path / "latin.yaml")
    with (tmp_path / "sparse.yaml").open("wb") as file:
        file.truncate(10 * 2**30)
    with pytest.raises(UnreadableDocument, match=r"sparse.yaml: is larger than 256 KiB; name the file of an AlignmentJob$"):
        read_document(tmp_path / "sparse.yaml")


def test_comments_belong_to_the_values_of_their_line() -> None:
    text = "a: 1   # one\nb:\n- c: x#y  # two\n  d: {e: 1, f: 2}  # three\n- g: 3\nh: [1, 2]  # four\n"
    assert leaf_comments(text) == {
        "a": "one",
        "b[0].c": "two",
        "b[0].d.e": "three",
        "b[0].d.f": "three",
        "b[1].g": "",
        "h": "four",
    }


def test_what_is_written_reads_back() -> None:
    texts = [text for text, _ in AS_THE_API_SERVER if text.isascii()]
    document = {"a": "one\ntwo\n", "b": [1, {"c": 5e-7}], "d": texts}
    text = write_documents([document])
    assert "|" in text
    assert parse_document(text, "file") == document
