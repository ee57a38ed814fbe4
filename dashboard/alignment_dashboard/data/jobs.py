"""Reads all jobs from where the environment says they are; both sources answer alike."""

from alignment_dashboard.data import local_jobs
from alignment_dashboard.data.listing import Listing
from alignment_dashboard.data.source import source


def read_jobs() -> Listing:
    """Read all jobs."""
    if source() == "folder":
        return local_jobs.read_jobs()
    # The Kubernetes client takes long to import, and the local folder does without it.
    from alignment_dashboard.data import cluster_jobs

    return cluster_jobs.read_jobs()
