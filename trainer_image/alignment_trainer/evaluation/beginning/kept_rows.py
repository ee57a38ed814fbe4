"""Which rows of an earlier attempt count: those that this one would measure alike."""

import shutil
import sys

from alignment_api.files import write_whole
from alignment_api.spec.lineage import digest

from alignment_trainer.evaluation.measure import Measure
from alignment_trainer.evaluation.row_file import MEASURED_FOLDER
from alignment_trainer.evaluation.subject import numbers_of
from alignment_trainer.evaluation.tasks import OpenTask

_KEPT_FILE = ".rows"
"""Holds a hash of all that shapes the rows of a task, beside the folders of its models, whose names begin with no dot."""


def forget_other_rows(task: OpenTask, measure: Measure) -> None:
    """Remove what an earlier attempt measured of other rows, in other numbers, or with another version of a library."""
    folder = task.stage / MEASURED_FOLDER / task.name
    known, now = folder / _KEPT_FILE, _digest(task, measure)
    if known.exists() and known.read_text() != now:
        why = "its rows or what shapes their scores, such as the number format or the version of a library, have changed"
        print(f"{task.path}: {why}, so all of them are measured again", file=sys.stderr, flush=True)
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(known, now)


def _digest(task: OpenTask, measure: Measure) -> str:
    rows = [[row.place, repr(row.value)] for row in task.rows]
    return digest([numbers_of(task.config, task.settings), measure.settings(task), rows])
