"""Checks the judges of a job."""

import argparse

from alignment_api.document import read_document
from alignment_api.resolving.validation import read_job

from alignment_operator.machine import trainer_data


def check_judge(options: argparse.Namespace) -> int:
    """Ask the judges of a job questions whose verdict is known, and show how they fare."""
    return trainer_data.check_judges(read_job(read_document(options.file)), options.home, options.stage)
