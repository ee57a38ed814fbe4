"""Sends to MLflow what the jobs of this machine still have for it."""

import argparse
import subprocess
import sys

from alignment_api.names import job_folder

from alignment_operator.commands.ending import REFUSED, SUCCEEDED
from alignment_operator.machine.stored_job import stored_job


def sync(options: argparse.Namespace) -> int:
    """Send to MLflow what it has not received from the jobs of this machine."""
    home = options.home
    jobs = [stored_job(path) for path in home.job_files()]
    wanted = [job.metadata for job in jobs if options.job in (None, job.metadata.name)]
    if options.job and not wanted:
        print(f"error: {home.root} has no job {options.job}; name a job that `alignment run` has run", file=sys.stderr)
        return REFUSED
    folders = [home.workspace / job_folder(known.namespace or "default", known.name, known.uid or "") for known in wanted]
    existing = [str(folder) for folder in folders if folder.is_dir()]
    # In a process of its own, since the operator must not import the trainer.
    return subprocess.call([sys.executable, "-m", "alignment_trainer.sync", *existing]) if existing else SUCCEEDED
