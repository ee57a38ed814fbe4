"""Shows the rows of a job as training reads them."""

import argparse

from alignment_api.document import read_document
from alignment_api.resolving.validation import read_job

from alignment_operator.machine import trainer_data


def show_data(options: argparse.Namespace) -> int:
    """Show how the first rows of each dataset are read, and which of their tokens are learned."""
    return trainer_data.show_data(read_job(read_document(options.file)), options.home, options.stage, options.rows)
