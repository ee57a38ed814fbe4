"""Every known kind of malformed file is refused before training, in a sentence with its place."""

import gzip
import io
import json

import pyarrow
import pyarrow.parquet
import pytest
from alignment_api.exit_codes import ExitCode
from alignment_trainer.checks.preflight import check
from alignment_trainer.failures import BadData

GOOD = {"prompt": "Why?", "completion": " Because."}
LINE = json.dumps(GOOD)
PAIR = {"prompt": "Why?", "chosen": "Because.", "rejected": "No."}
ANSWER = {"role": "assistant", "content": "a"}


def lines(*rows):
    return "\n".join([LINE, *(row if isinstance(row, str) else json.dumps(row) for row in rows)]).encode()


def dialogue_with(content, text='{"role": "assistant", "content": "a"}'):
    return f'{{"messages": [{text}, {content}]}}'


def parquet(rows, cut=0):
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), sink)
    content = sink.getvalue()
    return content[: len(content) - cut] if cut else content


def parquet_without_rows():
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([GOOD]).slice(0, 0), sink)
    return sink.getvalue()


def arrow(table, is_file=True, cut=0):
    sink = io.BytesIO()
    with (pyarrow.ipc.new_file if is_file else pyarrow.ipc.new_stream)(sink, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=2):
            writer.write_batch(batch)
    content = sink.getvalue()
    return content[: len(content) - cut] if cut else content


def table(rows):
    return pyarrow.Table.from_pylist(rows)


def undecodable():
    texts = pyarrow.array([b"good", b"\xff\xfe", b"good"]).cast(pyarrow.binary()).view(pyarrow.string())
    return pyarrow.table({"prompt": texts, "completion": pyarrow.array(["a", "b", "c"])})


def repeated_names():
    column = pyarrow.array(["a"])
    return pyarrow.Table.from_arrays([column, column, column], names=["prompt", "completion", "prompt"])


JSON = [
    ("empty", b"", "has no rows"),
    ("blank lines alone", b"\n \r\n\t\n", "has no rows"),
    ("a byte order mark alone", b"\xef\xbb\xbf", "has no rows"),
    ("UTF-16, small end first", LINE.encode("utf-16-le"), ":1: contains NUL bytes or a UTF-16 mark"),
    ("UTF-16 with its mark", LINE.encode("utf-16"), ":1: contains NUL bytes or a UTF-16 mark"),
    ("UTF-16, big end first", b"\xfe\xff" + LINE.encode("utf-16-be"), ":1: contains NUL bytes or a UTF-16 mark"),
    ("UTF-32", LINE.encode("utf-32"), ":1: contains NUL bytes or a UTF-16 mark"),
    ("a NUL in a line", lines(LINE[:12] + "\0" + LINE[12:]), ":2: contains NUL bytes"),
    ("zeros at the end, as after a power cut", lines() + b"\n" + b"\0" * 64, ":2: contains NUL bytes"),
    ("Latin-1", lines() + b'\n{"prompt": "caf\xe9", "completion": "a"}', ":2: is not UTF-8 (byte 16 of the line)"),
    ("a character that is cut off", lines() + b'\n{"prompt": "\xe2\x82', ":2: is not UTF-8"),
    ("a line that is cut off", lines(LINE[:20]), ":2: is not valid JSON (Unterminated string"),
    ("two rows on one line", lines(LINE + LINE), ":2: is not valid JSON (Extra data"),
    ("single quotes", lines(str(GOOD)), ":2: is not valid JSON"),
    ("a comma too many", lines(LINE[:-1] + ",}"), ":2: is not valid JSON"),
    ("Python's None", lines('{"prompt": None}'), ":2: is not valid JSON"),
    ("a line break within a text", lines('{"prompt": "a\nb", "completion": "c"}'), ":2: is not valid JSON"),
    ("old Macintosh line ends", LINE.encode() + b"\r" + LINE.encode(), ":1: is not valid JSON"),
    ("a heap of brackets", lines("[" * 100_000), ":2: is nested too deeply"),
    ("a deep object", lines('{"a":' * 100_000), ":2: is nested too deeply"),
    ("a number of 5,000 digits", lines('{"prompt": ' + "9" * 5000 + "}"), ":2: is not valid JSON (Exceeds the limit"),
    ("a key twice", lines('{"prompt": "a", "prompt": "b", "completion": "c"}'), ":2: has the key 'prompt' twice"),
    (
        "a key twice within",
        lines(dialogue_with('{"role": "user", "role": "assistant", "content": "a"}')),
        ":2: has the key 'role' twice",
    ),
    ("a list", lines("[1, 2]"), ":2: is not a JSON object"),
    ("a text", lines('"hello"'), ":2: is not a JSON object"),
    ("a number", lines("3"), ":2: is not a JSON object"),
    ("null", lines("null"), ":2: is not a JSON object"),
    ("NaN", lines("NaN"), ":2: is not a JSON object"),
    ("an empty object", lines("{}"), ":2: has no prompt and no completion"),
    ("a column renamed", lines({"prompt": "a", "response": "b"}), ":2: has no completion"),
    ("null for a text", lines({"prompt": "a", "completion": None}), ":2: has no completion"),
    ("a number for a text", lines({"prompt": "a", "completion": 3}), ":2: completion must be a text or a list of messages"),
    ("NaN for a text", lines('{"prompt": "a", "completion": NaN}'), ":2: completion must be a text or a list"),
    (
        "an empty answer and an unknown role",
        lines(dialogue_with('{"role": "bot"}', json.dumps({**ANSWER, "content": ""}))),
        ":2: messages[1]",
    ),
    (
        "empty answers alone",
        json.dumps({**GOOD, "completion": ""}).encode(),
        "in all 1 rows of workspace://rows.jsonl an answer is empty",
    ),
    ("half of a character", lines('{"prompt": "\\ud800", "completion": "b"}'), ":2: prompt contains half of a character"),
    (
        "half of a character in a message",
        lines(dialogue_with('{"role": "user", "content": "\\udfff"}')),
        ":2: messages[1].content contains",
    ),
    ("messages as text", lines({"messages": "[]"}), ":2: messages must be a list of messages"),
    ("messages as an object", lines({"messages": {"role": "user"}}), ":2: messages must be a list"),
    ("no messages", lines({"messages": []}), ":2: messages must be a list"),
    ("a message that is a text", lines(dialogue_with('"hello"')), ":2: messages[1] must be a message with role and content"),
    ("a message without content", lines(dialogue_with('{"role": "user"}')), ":2: messages[1].content is not text"),
    (
        "content in pieces",
        lines(dialogue_with('{"role": "user", "content": [{"type": "text"}]}')),
        ":2: messages[1].content[0].text is not text",
    ),
    ("an unknown role", lines(dialogue_with('{"role": "bot", "content": "a"}')), ":2: messages[1].role is 'bot'; use one of"),
    ("a role that is a list", lines(dialogue_with('{"role": ["user"], "content": "a"}')), ":2: messages[1].role is ['user']"),
    ("a very long role", lines(dialogue_with(json.dumps({"role": "x" * 9999, "content": "a"}))), ":2: messages[1].role is 'xxx"),
    (
        "a dialogue without an answer",
        lines({"messages": [{"role": "user", "content": "a"}]}),
        ":2: messages has no message with role assistant",
    ),
    ("a turn without a speaker", lines({"conversations": [{"value": "a"}]}), ":2: conversations[0].from is None"),
    ("an instruction alone", lines({"instruction": "a"}), ":2: has instruction but no output"),
    ("an answer that is no option", lines({"question": "a", "choices": ["b", "c"], "answer": 7}), ":2: answer is 7"),
    ("a question without an answer", lines({"question": "a", "choices": ["b", "c"]}), ":2: has no answer"),
]
OTHERS = [
    ("an array that is cut off", "json", b'[{"prompt": "a"},\n {"prom', ":2: is not valid JSON"),
    ("an array of texts", "json", b'["a", "b"]', ": row 1: is not a JSON object"),
    ("a row of an array", "json", json.dumps([GOOD, {"prompt": 1}]).encode(), ": row 2: has no completion"),
    ("an array with a key twice", "json", b'[{"a": 1, "a": 2}]', ":1: has the key 'a' twice"),
    ("an array in UTF-16", "json", b"[\0]\0", ":1: contains NUL bytes"),
    ("an empty array", "json", b"[]", "has no rows"),
    ("JSON of several lines", "json", json.dumps(GOOD, indent=1).encode(), ":1: is not valid JSON"),
    ("gzip that is none", "jsonl.gz", LINE.encode(), ":1: cannot be read (Not a gzipped file"),
    ("gzip cut off", "jsonl.gz", gzip.compress(lines(GOOD))[:-12], "cannot be read"),
    ("gzip with a wrong sum", "jsonl.gz", gzip.compress(lines())[:-8] + b"\0" * 8, ":1: cannot be read (CRC check failed"),
    ("Parquet that is none", "parquet", LINE.encode(), ": row 1: cannot be read"),
    ("Parquet without its end", "parquet", parquet([GOOD] * 50, cut=40), ": row 1: cannot be read"),
    ("Parquet of no bytes", "parquet", b"", ": row 1: cannot be read"),
    ("Parquet without rows", "parquet", parquet_without_rows(), "has no rows"),
    ("Parquet with a null", "parquet", parquet([GOOD, {**GOOD, "completion": None}]), ": row 2: has no completion"),
    ("Parquet of numbers", "parquet", parquet([{"prompt": 1, "completion": 2}]), ": row 1: prompt must be a text or a list"),
    ("Arrow that is none", "arrow", LINE.encode(), ": row 1: cannot be read"),
    ("an Arrow file cut off", "arrow", arrow(table([GOOD] * 9), cut=100), ": row 1: cannot be read"),
    ("an Arrow stream cut off", "arrow", arrow(table([GOOD] * 9), is_file=False, cut=100), ": row 9: cannot be read"),
    ("Arrow with text that is not UTF-8", "arrow", arrow(undecodable()), ": row 2: cannot be read"),
    ("Arrow with a column twice", "arrow", arrow(repeated_names()), ": row 1: has the column 'prompt' twice"),
    ("Arrow without rows", "arrow", arrow(table([GOOD]).slice(0, 0)), "has no rows"),
    ("CSV without rows", "csv", b"prompt,completion\n", "has no rows"),
    ("CSV of no bytes", "csv", b"", "has no rows"),
    ("CSV with a cell too few", "csv", b"prompt,completion\na,b\nc\n", ":3: has 1 cells, but the first line names 2 columns"),
    ("CSV with a cell too many", "csv", b"prompt,completion\na,b,c\n", ":2: has 3 cells"),
    ("CSV with an open quote", "csv", b'prompt,completion\na,b\n"c,d\n', ":3: is not valid CSV"),
    ("CSV with a stray quote", "csv", b'prompt,completion\na,"b"c\n', ":2: is not valid CSV"),
    ("CSV with semicolons", "csv", b"prompt;completion\na;b\n", ":2: has no prompt and no completion"),
    ("CSV with a column twice", "csv", b"prompt,prompt\na,b\n", ":1: has the column 'prompt' twice"),
    (
        "CSV with empty answers alone",
        "csv",
        b"prompt,completion\na,\nb, \n",
        "in all 2 rows of workspace://rows.csv an answer is",
    ),
    ("CSV in Latin-1", "csv", b"prompt,completion\na,b\ncaf\xe9,b\n", ":3: is not UTF-8"),
    ("CSV in UTF-16", "csv", "prompt,completion\na,b\n".encode("utf-16"), ":1: contains NUL bytes or a UTF-16 mark"),
    ("CSV with a row on several lines before", "csv", b'prompt,completion\n"a\nb",c\nd\n', ":4: has 1 cells"),
]
PAIRS = [
    (
        "two answers that are the same",
        {**PAIR, "rejected": "Because."},
        "in all 1 rows of workspace://rows.jsonl an answer is empty, or",
    ),
    ("no rejected answer", {"prompt": "a", "chosen": "b"}, ":1: has no rejected"),
    ("an empty chosen answer and no rejected one", {**PAIR, "chosen": "", "rejected": None}, ":1: has no rejected"),
    ("a text and messages", {**PAIR, "chosen": [ANSWER]}, ":1: chosen and rejected must both be texts"),
    ("a dialogue for pairs", GOOD, ":1: has one answer (completion); name the dataset in a stage of kind sft"),
    (
        "answers to nothing",
        {"chosen": [ANSWER], "rejected": [{**ANSWER, "content": "b"}]},
        ":1: chosen and rejected do not begin with",
    ),
]
FILES = [
    *((name, "sft", "rows.jsonl", content, fault) for name, content, fault in JSON),
    *((name, "sft", f"rows.{ending}", content, fault) for name, ending, content, fault in OTHERS),
    *((name, "dpo", "rows.jsonl", json.dumps(row).encode(), fault) for name, row, fault in PAIRS),
]


@pytest.mark.parametrize(("kind", "file", "content", "fault"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_a_malformed_file_is_refused_with_its_place(own_workspace, trainer, kind, file, content, fault):
    (own_workspace / file).write_bytes(content)
    datasets = [{"uri": f"workspace://{file}"}]
    with pytest.raises(BadData) as error:
        check(trainer.config(own_workspace, **{f"{kind}__datasets": datasets}))
    first = str(error.value).splitlines()[0]
    assert f"{file}{fault}" in first if fault.startswith(":") else fault in first
    assert len(first) < 400
    assert f"{kind}.datasets[0].uri" in first
    assert error.value.exit_code == ExitCode.BAD_DATA


def test_the_table_has_every_promised_case():
    assert len(FILES) >= 60


@pytest.mark.parametrize(
    ("file", "content", "rows"),
    [
        ("rows.jsonl", b"\xef\xbb\xbf" + lines(GOOD), 2),
        ("rows.jsonl", lines(GOOD).replace(b"\n", b"\r\n") + b"\r\n", 2),
        ("rows.jsonl", b"\n\n" + lines(GOOD) + b"\n\n", 2),
        ("rows.jsonl", lines({**GOOD, "score": float("nan"), "extra": {"a": [1]}}), 2),
        ("rows.json", lines(GOOD), 2),
        ("rows.json", b"\xef\xbb\xbf" + json.dumps([GOOD] * 3, indent=1).encode(), 3),
        ("rows.jsonl.gz", gzip.compress(lines(GOOD), mtime=0), 2),
        ("rows.parquet", parquet([GOOD] * 3), 3),
        ("rows.arrow", arrow(table([GOOD] * 5)), 5),
        ("rows.arrow", arrow(table([GOOD] * 5), is_file=False), 5),
        ("rows.csv", b'\xef\xbb\xbfprompt,completion\r\nWhy?,"a, ""b""\r\nc"\r\n\r\nWhy?,d\r\n', 2),
    ],
)
def test_valid_but_unusual_files_are_read(own_workspace, trainer, file, content, rows):
    (own_workspace / file).write_bytes(content)
    config = trainer.config(own_workspace, sft__datasets=[{"uri": f"workspace://{file}"}], sft__holdout={"examples": rows})
    # The message contains the number of rows that preflight counted.
    with pytest.raises(BadData, match=f"would keep {rows} of {rows} rows out of training"):
        check(config)
