"""Checks the files of jobs, and on request their data."""

import argparse
import sys
from pathlib import Path

from alignment_api.document import UnreadableDocument, read_document
from alignment_api.home import Home
from alignment_api.problems import InvalidJob
from alignment_api.resolving.validation import read_job, runnable_job
from alignment_api.resolving.warnings import spec_warnings

from alignment_operator.commands.ending import REFUSED, SUCCEEDED, warn
from alignment_operator.machine import trainer_data


def validate(options: argparse.Namespace) -> int:
    """Check jobs without running them."""
    home = options.home if options.data else None
    answers = [_validate_one(file, home) for file in options.file]
    return SUCCEEDED if all(answers) else REFUSED


def _validate_one(file: Path, home: Home | None) -> bool:
    """Check one file, and with a home also the data of its job."""
    try:
        job = read_job(read_document(file))
        resolved = runnable_job(job)
    except InvalidJob as error:
        for line in str(error).splitlines():
            print(f"error: {file}: {line}", file=sys.stderr)
        return False
    except UnreadableDocument as error:
        print(f"error: {error}", file=sys.stderr)
        return False
    if home and trainer_data.check_data(job, home, file) != SUCCEEDED:
        return False
    print(f"{file}: valid")
    warn(f"{file}: {warning}" for warning in spec_warnings(resolved.spec))
    return True
