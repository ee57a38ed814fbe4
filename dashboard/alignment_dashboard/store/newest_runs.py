"""Reads the newest run of each stage of a job."""

import time
from datetime import UTC, datetime

from alignment_api.metrics import JOB_UID_TAG, KIND_TAG, STAGE_TAG
from alignment_api.runs import Beginning, newest_run
from mlflow.entities import Run

from alignment_dashboard.data.runs import _read_value, _reading, _search
from alignment_dashboard.store.stored_run import StoredRun


def read_runs(uri: str, job_uid: str) -> dict[str | None, StoredRun]:
    """Return the newest run of each stage of a job; None stands for the run of the whole job."""
    with _reading(uri) as client:
        tagged = _search(client, JOB_UID_TAG, job_uid)
    by_stage: dict[str | None, list[Run]] = {}
    for run in tagged:
        by_stage.setdefault(run.data.tags.get(STAGE_TAG), []).append(run)
    now = time.time_ns() // 1_000_000
    newest = (newest_run(runs, lambda run: Beginning(run.info.start_time, run.info.run_id), now) for runs in by_stage.values())
    return {run.data.tags.get(STAGE_TAG): _stored(run) for run in newest if run}


def _stored(run: Run) -> StoredRun:
    info, tags = run.info, run.data.tags
    return StoredRun(
        run_id=info.run_id,
        experiment_id=info.experiment_id,
        job_uid=tags[JOB_UID_TAG],
        stage=tags.get(STAGE_TAG),
        kind=tags.get(KIND_TAG),
        status=info.status,
        start_time=datetime.fromtimestamp(info.start_time / 1000, UTC) if info.start_time else None,
        end_time=datetime.fromtimestamp(info.end_time / 1000, UTC) if info.end_time else None,
        artifacts=info.artifact_uri or "",
        parameters=run.data.params,
        latest={name: _read_value(value) for name, value in run.data.metrics.items()},
    )
