"""Reconciles one job on this machine until it ends or is stopped."""

import asyncio
import signal
from datetime import UTC, datetime

from alignment_api.files import NO_ROOM
from alignment_api.spec.job import AlignmentJob

from alignment_operator.backends.chosen import ON_MACHINE
from alignment_operator.deciding.job_status import is_finished
from alignment_operator.deciding.observation import Key
from alignment_operator.machine.terminal import TerminalView
from alignment_operator.machine.world import LocalCluster
from alignment_operator.reconcile import reconcile
from alignment_operator.settings import Settings, read_settings

_POLL_SECONDS = 0.5


def local_settings(cluster: LocalCluster) -> Settings:
    """Return settings with all paths in the home folder."""
    return read_settings(
        tracking_uri=cluster.home.tracking_uri,
        tracking_artifacts=cluster.home.artifacts.as_uri(),
        workspace_path=str(cluster.home.workspace),
        secrets_path=str(cluster.home.secrets),
        grace_seconds=120,
        first_retry_delay_seconds=1,
        longest_retry_delay_seconds=30,
    )


async def run_until_ended(cluster: LocalCluster, settings: Settings, key: Key, view: TerminalView) -> AlignmentJob:
    """Reconcile until the job has ended or stopped; the first signal asks for a checkpoint, the second exits at once."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, cluster)
    while True:
        view.note(await _reconcile(cluster, settings, key))
        job = await cluster.job(key)
        assert job is not None, "a job that is being run is not deleted"
        if job.status is not None:
            view.show(job.status)
            if is_finished(job.status) or job.status.phase == "Suspended":
                return job
        await asyncio.sleep(_POLL_SECONDS)


async def _reconcile(cluster: LocalCluster, settings: Settings, key: Key) -> str | None:
    """Reconcile once; return what is waited for if the disk had no room for what that writes."""
    try:
        await reconcile(cluster, ON_MACHINE, settings, key, datetime.now(UTC).replace(microsecond=0))
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        written = error.filename or cluster.home.root
        return f"{written} could not be written ({error.strerror}); waiting until there is room for it"
    return None


def _stop(cluster: LocalCluster) -> None:
    if cluster.stop_requested:
        raise KeyboardInterrupt
    cluster.stop_requested = True
