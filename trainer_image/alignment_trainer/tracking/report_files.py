"""The report of a stage and the rows behind it, as files of its run."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from alignment_api.names import REPORT_FILE, ROWS_FOLDER
from alignment_api.results.reading import run_folder


class RunFolder(NamedTuple):
    """Files that belong into one folder of a run."""

    folder: str
    files: list[Path]


def report_state(stage: Path) -> tuple[int, int] | None:
    """Return what changes whenever the report does: its time and its size; None if there is no report."""
    try:
        found = (stage / REPORT_FILE).stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size


def report_folders(stage: Path, kind: str) -> Iterator[RunFolder]:
    """Yield the rows of the stage, a folder for each task, and at last the report, whose readers then find its rows."""
    folder = run_folder(kind)
    if folder is None:
        return
    for task in sorted((stage / ROWS_FOLDER).glob("*/")):
        yield RunFolder(f"{folder}/{ROWS_FOLDER}/{task.name}", sorted(task.glob("*.jsonl")))
    yield RunFolder(folder, [stage / REPORT_FILE])
