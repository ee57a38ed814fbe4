"""The answers that a stage logged at its evaluations, one file for each step."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from alignment_dashboard.store.store import Store, StoredFile
from alignment_dashboard.store.stored_run import StoredRun

FOLDER = "samples"
MOST_BYTES, MOST_BYTES_TOGETHER = 8 << 20, 64 << 20
FAULTS_NAMED = 3

Row = dict[str, Any]
_NAME = re.compile(r"step-(\d{1,15})\.json")


class SampleFile(NamedTuple):
    """The rows of a file, or why they are not shown."""

    run_id: str
    size: int
    rows: list[Row]
    fault: str | None = None


Samples = Mapping[str, SampleFile]
"""Files by their path; each is read once, unless its size changes or the stage begins anew."""


def read_samples(store: Store, run: StoredRun | None, known: Samples) -> Samples:
    """Read the files that are not known, the newest first."""
    found = sorted(_numbered(store.files(run, FOLDER)), reverse=True) if run else []
    read, together = dict[str, SampleFile](), 0
    for step, file in found:
        together += file.size
        earlier = known.get(file.path)
        if run and (earlier is None or (earlier.run_id, earlier.size) != (run.run_id, file.size)):
            earlier = _read(store, run, step, file) if together <= MOST_BYTES_TOGETHER else _left_out(run, file)
        if earlier:
            read[file.path] = earlier
    return read


def rows_of(samples: Samples) -> list[Row]:
    """Return the rows of all files, in the order of their steps."""
    return sorted((row for file in samples.values() for row in file.rows), key=lambda row: row["step"])


def fault_of(samples: Samples) -> str | None:
    """Return why some files are not shown, in one sentence."""
    faults = [file.fault for file in samples.values() if file.fault]
    more = f"; and {len(faults) - FAULTS_NAMED} more" if len(faults) > FAULTS_NAMED else ""
    return f"Not all samples can be shown: {'; '.join(faults[:FAULTS_NAMED])}{more}." if faults else None


def _numbered(files: list[StoredFile]) -> list[tuple[int, StoredFile]]:
    named = ((_NAME.fullmatch(file.path.rpartition("/")[2]), file) for file in files)
    return [(int(match[1]), file) for match, file in named if match]


def _read(store: Store, run: StoredRun, step: int, file: StoredFile) -> SampleFile:
    if file.size > MOST_BYTES:
        return SampleFile(run.run_id, file.size, [], f"{file.path} has more than {MOST_BYTES >> 20} MB")
    try:
        rows = json.loads(store.read_end(run, file, MOST_BYTES))
    except (ValueError, RecursionError):
        return SampleFile(run.run_id, file.size, [], f"{file.path} is not complete JSON")
    if not isinstance(rows, list) or not all(map(_is_sample, rows)):
        return SampleFile(run.run_id, file.size, [], f"{file.path} is not a list of prompts with answers")
    return SampleFile(run.run_id, file.size, [{**row, "step": step} for row in rows])


def _left_out(run: StoredRun, file: StoredFile) -> SampleFile:
    return SampleFile(run.run_id, file.size, [], f"the newer ones and {file.path} have more than {MOST_BYTES_TOGETHER >> 20} MB")


def _is_sample(row: Any) -> bool:
    if not isinstance(row, dict) or not all(isinstance(row.get(name), str) for name in ("prompt", "policy")):
        return False
    return all(isinstance(value, str | int | float | None) for value in row.values())
