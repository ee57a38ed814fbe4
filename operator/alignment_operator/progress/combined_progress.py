"""How far all running stages are: what their pods say and what MLflow says, as one report for each job."""

from alignment_api.spec.status import Progress

from alignment_operator.deciding.observation import Report
from alignment_operator.progress.heartbeats import Heartbeats
from alignment_operator.progress.tracked_progress import TrackedProgress


class ProgressReader:
    """Merges the two channels."""

    def __init__(self, tracked: TrackedProgress, heartbeats: Heartbeats) -> None:
        self.tracked = tracked
        self.heartbeats = heartbeats

    def report(self, job_uid: str) -> Report:
        """Say what is known of one job."""
        unheard = self.heartbeats.unheard(job_uid)
        return Report(
            stages=best_words(
                self.heartbeats.progress(job_uid), self.tracked.progress(job_uid), self.heartbeats.answering(job_uid)
            ),
            run_ids=self.tracked.run_ids(job_uid),
            tracking=self.tracked.parent(job_uid),
            silence=_silence(self.tracked.silence, unheard),
            pulses=self.heartbeats.pulses(job_uid),
            asked_since=self.heartbeats.asked_since(job_uid),
            unheard=unheard,
        )


def best_words(pods: dict[str, Progress], tracked: dict[str, Progress], answering: set[str]) -> dict[str, Progress]:
    """Take of each stage its pod's word while that answers, else what was said last; the pod's where both are as new."""
    stages = {**tracked, **pods}
    for stage in (pods.keys() & tracked.keys()) - answering:
        # A pod that answers knows best, and nobody else can speak for it; MLflow has the same later, if it is the truth.
        if tracked[stage].updated_time > pods[stage].updated_time:
            stages[stage] = tracked[stage]
    return stages


def _silence(tracked: str | None, unheard: dict[str, str]) -> str | None:
    if tracked is None:
        return None
    silent = [tracked, *sorted(unheard.values())]
    return f"progress is unknown: {', and '.join(silent)}; training goes on and keeps its metrics"
