"""Reads all jobs, from the local folder or from Kubernetes."""

from alignment_dashboard.data import local_jobs
from alignment_dashboard.data.listing import Listing
from alignment_dashboard.data.source import source


def read_jobs() -> Listing:
    """Read all jobs."""
    if source() == "folder":
        return local_jobs.read_jobs()
    # The Kubernetes client is slow to import, and the local folder does not need it.
    from alignment_dashboard.data import cluster_jobs

    return cluster_jobs.read_jobs()
