"""Reads a job that this machine has stored."""

import json
from pathlib import Path

from alignment_api.document import UnreadableDocument
from alignment_api.problems import InvalidJob
from alignment_api.resolving.validation import read_stored_job
from alignment_api.spec.job import AlignmentJob


def stored_job(path: Path) -> AlignmentJob:
    """Read a job's file. Raises UnreadableDocument if it is damaged or of another version."""
    try:
        return read_stored_job(json.loads(path.read_text(encoding="utf-8")))
    except InvalidJob as error:
        why = str(error.problems[0])
    except ValueError:
        why = "it is not complete JSON"
    raise UnreadableDocument(
        f"{path}: this version cannot read this stored job ({why}); use the version that stored it, or move the file away to "
        "start the job anew"
    )
