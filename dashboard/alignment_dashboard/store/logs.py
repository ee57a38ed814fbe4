"""The end of a stage's log: from its folder while the stage runs here, otherwise from the files of its run."""

from pathlib import Path
from typing import NamedTuple

from alignment_api.names import LOG_FILE, OLDER_LOG_FILE

from alignment_dashboard.store.local_files import read_last_bytes
from alignment_dashboard.store.store import Store, StoredFile
from alignment_dashboard.store.stored_run import StoredRun

FOLDER = "logs"
NAMES = (OLDER_LOG_FILE, LOG_FILE)
"""What was rotated away, then the newest part."""

MOST_BYTES = 200_000


class Log(NamedTuple):
    """The end of a log, and the run and its files that it came from."""

    text: str
    run_id: str | None = None
    files: tuple[StoredFile, ...] = ()


NO_LOG = Log("")


def read_live_log(folder: Path) -> Log | None:
    """Read the log in a stage's folder; None if there is none."""
    found = [folder / name for name in NAMES if (folder / name).is_file()]
    return Log(_end([read_last_bytes(path, MOST_BYTES) for path in found])) if found else None


def read_stored_log(store: Store, run: StoredRun | None, known: Log) -> Log:
    """Read the log among the files of a run, unless it is known."""
    files = tuple(file for file in store.files(run, FOLDER) if Path(file.path).name in NAMES) if run else ()
    if run is None or (run.run_id, files) == (known.run_id, known.files):
        return known
    ordered = sorted(files, key=lambda file: NAMES.index(Path(file.path).name))
    return Log(_end([store.read_end(run, file, MOST_BYTES) for file in ordered]), run.run_id, files)


def _end(parts: list[bytes]) -> str:
    """Join parts, and begin at a whole line if the text was cut."""
    text = b"".join(parts)
    if len(text) > MOST_BYTES or (parts and len(parts[0]) == MOST_BYTES):
        text = text[-MOST_BYTES:].partition(b"\n")[2]
    return text.decode("utf-8", errors="replace")
