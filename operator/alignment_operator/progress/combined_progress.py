"""Combines the progress that pods report with the progress in MLflow into one report for each job."""

from alignment_api.spec.status import Progress

from alignment_operator.deciding.observation import Report
from alignment_operator.progress.heartbeats import Heartbeats
from alignment_operator.progress.tracked_progress import TrackedProgress


class ProgressReader:
    """Combines the two sources of progress."""

    def __init__(self, tracked: TrackedProgress, heartbeats: Heartbeats) -> None:
        self.tracked = tracked
        self.heartbeats = heartbeats

    def report(self, job_uid: str) -> Report:
        """Return the report of one job."""
        unheard = self.heartbeats.unheard(job_uid)
        return Report(
            stages=newest_progress(
                self.heartbeats.progress(job_uid), self.tracked.progress(job_uid), self.heartbeats.answering(job_uid)
            ),
            run_ids=self.tracked.run_ids(job_uid),
            tracking=self.tracked.parent(job_uid),
            silence=_silence(self.tracked.silence, unheard),
            pulses=self.heartbeats.pulses(job_uid),
            asked_since=self.heartbeats.asked_since(job_uid),
            unheard=unheard,
        )


def newest_progress(pods: dict[str, Progress], tracked: dict[str, Progress], answering: set[str]) -> dict[str, Progress]:
    """Return each stage's progress: from its pod while the pod answers, otherwise the newer of both, and the pod's if equal."""
    stages = {**tracked, **pods}
    for stage in (pods.keys() & tracked.keys()) - answering:
        # A pod that answers is the best source: MLflow gets the same points later, and any pod may write to it.
        if tracked[stage].updated_time > pods[stage].updated_time:
            stages[stage] = tracked[stage]
    return stages


def _silence(tracking: str | None, unheard: dict[str, str]) -> str | None:
    if tracking is None:
        return None
    silent = [tracking, *sorted(unheard.values())]
    return f"progress is unknown: {', and '.join(silent)}; training continues and keeps its metrics"
