"""Hands `alignment` inputs that no job means, and prints how long its answer takes, how much memory, and the answer, as a table.

`python -P benchmarks/inputs.py` (-P prevents Python from importing operator.py of this folder instead of the standard library's
`operator`). Each command is a new process; its processor time and its largest memory include the processes that it starts.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import yaml
from alignment_api.document import read_document

ROOT = Path(__file__).parents[1]
TINY = read_document(ROOT / "examples/tiny.yaml")
WORDS, FILES, SPARSE_BYTES = 2_000_000, 100_000, 10 << 30
ROW = json.dumps({"messages": [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because."}]}) + "\n"


class Answer(NamedTuple):
    """What one command took, and its first line."""

    code: int
    seconds: float
    cpu_seconds: float
    peak_megabytes: float
    line: str


def ask(home: Path, *arguments: str) -> Answer:
    """Run the command line to its end."""
    with tempfile.TemporaryFile("w+") as output:
        command = [sys.executable, "-m", "alignment_operator.cli", *arguments, "--home", str(home)]
        begun = time.monotonic()
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(child.pid, 0)
        seconds = time.monotonic() - begun
        output.seek(0)
        lines = [line for line in output.read().splitlines() if line.strip()] or [""]
        line = next((line for line in lines if line.startswith("error: ")), lines[0])
    return Answer(
        os.waitstatus_to_exitcode(status),
        seconds,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss / 1000,
        line.removeprefix("error: "),
    )


def write_job(home: Path, uri: str = "workspace://inputs/tiny/sft.jsonl", model: str = "workspace://inputs/tiny/model") -> Path:
    """Write the example with SFT only, on other rows or another model."""
    stage = {"name": "sft", "sft": {**TINY["spec"]["stages"][0]["sft"], "datasets": [{"uri": uri}], "holdout": None}}
    stage["sft"] = {name: value for name, value in stage["sft"].items() if value is not None}
    spec = {**TINY["spec"], "model": {**TINY["spec"]["model"], "uri": model}, "stages": [stage]}
    path = home / "job.yaml"
    path.write_text(yaml.safe_dump({**TINY, "spec": spec}))
    return path


def sparse(begins: bytes) -> Callable[[Path], None]:
    """Return a writer of a file that is a hole of ten gigabytes, which needs no room on the disk."""

    def write(path: Path) -> None:
        path.write_bytes(begins)
        os.truncate(path, SPARSE_BYTES)

    return write


def long_row(path: Path) -> None:
    """Write one row with two million words."""
    messages = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "because " * WORDS}]
    path.write_text(json.dumps({"messages": messages}) + "\n")


def many_files(path: Path) -> None:
    """Write a folder with a hundred thousand files of one row."""
    path.mkdir()
    for number in range(FILES):
        (path / f"{number}.jsonl").write_text(ROW)


def a_socket(path: Path) -> None:
    """Bind a socket to a path."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


ROWS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a named pipe": ("pipe.jsonl", os.mkfifo),
    "a socket": ("socket.jsonl", a_socket),
    "a link to a device": ("device.jsonl", lambda path: path.symlink_to("/dev/zero")),
    "10 GB of zeros, .jsonl": ("zeros.jsonl", sparse(b"")),
    "10 GB of zeros, .csv": ("zeros.csv", sparse(b"")),
    "10 GB of zeros, .json": ("zeros.json", sparse(b"[")),
    "10 GB of zeros, .parquet": ("zeros.parquet", sparse(b"PAR1")),
    "a row of 2 million words": ("long.jsonl", long_row),
    "100,000 files in a folder": ("files", many_files),
}
DOCUMENTS = {
    "YAML: references that grow": "a: &a [x, x]\n"
    + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefghijklmno", "bcdefghijklmnop", strict=True)),
    "YAML: a reference to itself": "a: &a [*a]\n",
    "YAML: 10,000 brackets": "a: " + "[" * 10_000 + "\n",
}


def main() -> None:
    """Print the table."""
    print("| input | command | exit code | time | CPU | peak memory | answer |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        workspace = home / "workspace"
        subprocess.run(
            [sys.executable, ROOT / "examples/make_tiny.py", "--workspace", workspace], check=True, capture_output=True
        )
        for name, (file, write) in ROWS.items():
            write(workspace / file)
            show(name, home, "validate", "--data", str(write_job(home, f"workspace://{file}")))
        show("a row of 2 million words", home, "show-data", str(write_job(home, "workspace://long.jsonl")))
        config = workspace / "inputs/tiny/model/config.json"
        settings = json.loads(config.read_text())
        config.write_text(json.dumps({**settings, "num_hidden_layers": settings["num_hidden_layers"] + 1}))
        show("a model with one layer too few", home, "run", str(write_job(home)))
        for name, text in DOCUMENTS.items():
            (home / "document.yaml").write_text(text)
            show(name, home, "validate", "--data", str(home / "document.yaml"))


def show(name: str, home: Path, *arguments: str) -> None:
    """Print one row of the table."""
    answer = ask(home, *arguments)
    line = answer.line.replace(str(home), "…").replace("|", "\\|")
    shown = line if len(line) <= 120 else f"{line[:117]}..."
    verb = " ".join(argument for argument in arguments[:-1])
    figures = f"{answer.seconds:.1f} s | {answer.cpu_seconds:.1f} s | {answer.peak_megabytes:.0f} MB"
    print(f"| {name} | `{verb}` | {answer.code} | {figures} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
