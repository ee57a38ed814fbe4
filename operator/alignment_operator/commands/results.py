"""Shows what a job's models reached, and what its exports cost."""

import argparse
import os
import sys
from pathlib import Path

from alignment_api.results.collected import Reports

from alignment_operator.commands.ending import FAILED, SUCCEEDED, refuse
from alignment_operator.deciding.untrusted import printable
from alignment_operator.machine.report_tables import write_reports, write_rows
from alignment_operator.machine.row_differences import row_differences
from alignment_operator.machine.stored_reports import StoredReports
from alignment_operator.progress.tracked_reports import NoResults, StoreAway, TrackedReports

FORMATS = ("text", "markdown", "csv", "json")
_CREDENTIALS = "ALIGNMENT_TRACKING_CREDENTIALS_FOLDER"


def results(options: argparse.Namespace) -> int:
    """Show what the models of a job reached: scores with their errors, differences, and exports before and after."""
    try:
        source = _source(options)
        found = source.reports()
        print_notes(found, options.format)
        if not found.evaluations and not found.exports:
            return FAILED
        if options.rows:
            text = write_rows(row_differences(source, found, options.rows, options.between), options.format)
        else:
            text = write_reports(found, options.format, options.against)
    except NoResults as error:
        return refuse(printable(str(error)))
    except StoreAway as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    print(text, end="")
    return SUCCEEDED


def print_notes(found: Reports, form: str) -> None:
    """Print why reports are missing; beside a CSV, which has no place for sentences, also whose figures are not final."""
    for note in (*found.problems, *(found.signs() if form == "csv" else ())):
        print(f"note: {printable(note)}", file=sys.stderr)


def _source(options: argparse.Namespace) -> StoredReports | TrackedReports:
    if options.tracking_uri is None:
        return StoredReports(options.home, options.job)
    folder = os.environ.get(_CREDENTIALS)
    return TrackedReports(options.tracking_uri, options.job, Path(folder) if folder else None)
