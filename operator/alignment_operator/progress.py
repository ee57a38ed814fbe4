"""Reads how far all running stages are from MLflow, and tells silence from standstill."""

import math
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

import aiohttp
from alignment_api import metrics
from alignment_api.job import Progress, TrackingStatus

from alignment_operator.observation import Report

_TIMEOUT_SECONDS = 10
_MOST_RUNS = 5000


class ProgressReader:
    """What MLflow last said of every job, by its uid."""

    def __init__(self, uri: str, public_url: str | None) -> None:
        self._uri = uri.rstrip("/")
        self._public_url = (public_url or "").rstrip("/")
        self._silent_since: datetime | None = None
        self._reason = ""
        self._stages: dict[str, dict[str, Progress]] = {}
        self._run_ids: dict[str, dict[str, str]] = {}
        self._parents: dict[str, TrackingStatus] = {}

    def report(self, job_uid: str) -> Report:
        """Say what is known of one job."""
        silence = None
        if self._silent_since:
            silence = (
                f"progress is unknown: MLflow at {self._uri} has not answered since {self._silent_since:%H:%M:%S} UTC "
                f"({self._reason}); training goes on and keeps its metrics"
            )
        return Report(self._stages.get(job_uid, {}), self._run_ids.get(job_uid, {}), self._parents.get(job_uid), silence)

    @property
    def silent(self) -> bool:
        """Say whether MLflow did not answer when it was last asked."""
        return self._silent_since is not None

    async def refresh(self) -> set[str]:
        """Ask MLflow once for all running runs; the answer names the jobs of which something new is known."""
        try:
            runs = await self._running_runs()
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            newly = self._silent_since is None
            self._silent_since = self._silent_since or datetime.now(UTC)
            self._reason = f"{type(error).__name__}: {error}".rstrip(": ")
            return set(self._stages) if newly else set()
        returned = set(self._stages) if self._silent_since else set()
        self._silent_since = None
        return returned | self._take(runs)

    async def _running_runs(self) -> list[dict[str, Any]]:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session:
            api = f"{self._uri}/api/2.0/mlflow"
            async with session.get(f"{api}/experiments/search", params={"max_results": "1000"}) as answer:
                experiments = [known["experiment_id"] for known in (await answer.json()).get("experiments", [])]
            query = {
                "experiment_ids": experiments,
                "filter": f"attributes.status = 'RUNNING' and tags.`{metrics.JOB_UID_TAG}` LIKE '%'",
                "max_results": _MOST_RUNS,
            }
            async with session.post(f"{api}/runs/search", json=query) as answer:
                runs: list[dict[str, Any]] = (await answer.json()).get("runs", [])
                return runs

    def _take(self, runs: list[dict[str, Any]]) -> set[str]:
        stages: dict[str, dict[str, Progress]] = defaultdict(dict)
        run_ids: dict[str, dict[str, str]] = defaultdict(dict)
        for run in runs:
            tags = {tag["key"]: tag["value"] for tag in run["data"].get("tags", [])}
            uid, stage = tags[metrics.JOB_UID_TAG], tags.get(metrics.STAGE_TAG)
            if stage is None:
                self._parents[uid] = self._tracking(run["info"])
                continue
            run_ids[uid][stage] = run["info"]["run_id"]
            progress = progress_of(run["data"].get("metrics", []))
            if progress:
                stages[uid][stage] = progress
        changed = {uid for uid in stages.keys() | run_ids.keys() if stages[uid] != self._stages.get(uid)}
        self._stages, self._run_ids = dict(stages), dict(run_ids)
        return changed

    def _tracking(self, info: dict[str, Any]) -> TrackingStatus:
        experiment, run = info["experiment_id"], info["run_id"]
        url = f"{self._public_url}/#/experiments/{experiment}/runs/{run}" if self._public_url else None
        return TrackingStatus(experiment_id=experiment, run_id=run, url=url)


def progress_of(points: list[dict[str, Any]]) -> Progress | None:
    """Derive progress from the latest metrics of a run."""
    latest = {point["key"]: point for point in points if math.isfinite(float(point["value"]))}
    total = int(latest[metrics.TOTAL_STEPS]["value"]) if metrics.TOTAL_STEPS in latest else 0
    if total < 1:
        return None
    step = max(int(point.get("step") or 0) for point in latest.values())
    left = latest.get(metrics.SECONDS_LEFT)
    return Progress(
        step=step,
        total_steps=total,
        percent=min(100, 100 * step // total),
        seconds_left=max(0, round(left["value"])) if left else None,
        updated_time=datetime.fromtimestamp(max(int(point["timestamp"]) for point in latest.values()) // 1000, UTC),
        metrics={name: latest[name]["value"] for name in metrics.HEADLINES if name in latest},
    )
