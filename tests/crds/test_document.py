"""YAML is read as the API server reads it."""

from pathlib import Path

import pytest
from alignment_api.document import UnreadableDocument, leaf_comments, parse_document, read_document, write_documents


@pytest.mark.parametrize(
    ("text", "value"),
    [("5e-7", 5e-7), ("1e3", 1000.0), ("2.0e-05", 2e-5), ("-3E+2", -300.0), ("5e-7x", "5e-7x"), ("'5e-7'", "5e-7"), ("12", 12)],
)
def test_numbers_are_numbers(text: str, value: object) -> None:
    read = parse_document(f"a: {text}", "file")["a"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\nb: 2\na: 3\n", "job.yaml:3: 'a' is set twice; correct the line"),
        ("a: [1\nb: 2\n", "job.yaml:2: "),
        ("", "job.yaml: holds 0 documents; give a file with exactly one AlignmentJob"),
        ("a: 1\n---\nb: 1\n", "job.yaml: holds 2 documents; give a file with exactly one AlignmentJob"),
        ("a: \x00", "job.yaml: cannot be read as YAML"),
        ("? [a, b]\n: c\n", "job.yaml"),
        ("2024-01-01: x\n", "job.yaml:1: "),
        ("a: 2024-13-45\n", "job.yaml: cannot be read as YAML (month must be in 1..12)"),
        ("a: " + "1" * 5000 + "\n", "job.yaml: cannot be read as YAML"),
        ("[" * 900 + "]" * 900, "job.yaml: cannot be read as YAML"),
        ("a: &a [1]\nb: [" + "*a, " * 200 + "]\n", "job.yaml: cannot be read as YAML (200 references to anchors)"),
    ],
)
def test_an_unreadable_document_is_refused_with_its_line(text: str, sentence: str) -> None:
    with pytest.raises(UnreadableDocument) as refused:
        parse_document(text, "job.yaml")
    assert str(refused.value).startswith(sentence)


def test_a_missing_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UnreadableDocument, match="there is no such file; check the path"):
        read_document(tmp_path / "no.yaml")
    with pytest.raises(UnreadableDocument, match="is a folder; name a file"):
        read_document(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(UnreadableDocument, match="cannot be read"):
        read_document(tmp_path / "latin.yaml")


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
    document = {"a": "one\ntwo\n", "b": [1, {"c": 5e-7}]}
    text = write_documents([document])
    assert "|" in text
    assert parse_document(text, "file") == document
