"""The MLflow runs of a job: one parent run, and one child run per stage, found again by their tags."""

import errno
import fcntl
import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignment_api import metrics
from alignment_api.credentials import read_login
from alignment_api.run_config import RunConfig, TrackingTarget
from alignment_api.runs import Beginning, newest_run
from alignment_api.trees import leaves

if TYPE_CHECKING:
    from mlflow.entities import Run

_PARAMETERS_AT_ONCE = 100
_RUNS_AT_ONCE = 1000
_VALUE_LIMIT = 6000
_LOCK_FILE = ".tracking.lock"
_CLIENT_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def configure_client() -> None:
    """Make MLflow's client give up sooner and without log lines; call this before its first use."""
    for name, value in _CLIENT_SETTINGS.items():
        os.environ.setdefault(name, value)
    # This logger prints every try to open a database; the uploader reports the failure once.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


def log_in(tracking: TrackingTarget) -> None:
    """Set the name and password that MLflow's client reads at each request, in this process only."""
    if tracking.credentials:
        login = read_login(Path(tracking.credentials))
        os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"] = login


class TrackedRuns:
    """The runs of this stage and of its job; a live attempt sets them to running again."""

    def __init__(self, config: RunConfig, is_live: bool, start_time: int | None, known_run_id: str | None = None) -> None:
        log_in(config.tracking)
        # Imported late: this takes a second, and training must not wait for it.
        from mlflow import MlflowClient

        self._config = config
        self._is_live = is_live
        self._start_time = start_time
        self._known_run_id = known_run_id
        self._client = MlflowClient(config.tracking.uri)
        self._experiment = self._find_experiment()
        self._described: set[str] = set()
        job_tags = {
            metrics.JOB_TAG: config.job.name,
            metrics.NAMESPACE_TAG: config.job.namespace,
            metrics.JOB_UID_TAG: config.job.uid,
        }
        stage_tags = {
            **job_tags,
            metrics.STAGE_TAG: config.stage_name,
            metrics.KIND_TAG: config.stage.kind,
            metrics.INPUT_HASH_TAG: config.input_hash,
        }
        with _locked(Path(config.paths.stage).parent):
            self._parent = self._find_or_create(None, config.job.name, job_tags)
            name = f"{config.job.name}/{config.stage_name}"
            self.run_id = self._find_or_create(config.stage_name, name, {**stage_tags, metrics.PARENT_TAG: self._parent})
        self.describe(_parameters(config))

    def log(self, values: list[tuple[str, float, int, int]]) -> None:
        """Send measurements: name, value, time in milliseconds, step."""
        from mlflow.entities import Metric

        # The mounted Secret may have changed.
        log_in(self._config.tracking)
        self._client.log_batch(self.run_id, metrics=[Metric(*value) for value in values])

    def note_progress(self, time: int) -> None:
        """Tell when training last advanced, in milliseconds since 1970, without a measurement."""
        log_in(self._config.tracking)
        self._client.set_tag(self.run_id, metrics.PROGRESS_TIME_TAG, str(time))

    def log_samples(self, step: int, rows: list[dict[str, Any]]) -> None:
        """Log the policy's answers at a step as a file of the run."""
        self._client.log_text(self.run_id, json.dumps(rows, indent=1, ensure_ascii=False), f"samples/step-{step}.json")

    def describe(self, parameters: Mapping[str, str]) -> None:
        """Log the parameters that the run does not have yet; MLflow cannot change those of an earlier attempt."""
        from mlflow.entities import Param

        # Names of datasets may contain characters that MLflow refuses.
        named = {re.sub(r"[^\w\-. :/]", "_", name): value[:_VALUE_LIMIT] for name, value in parameters.items()}
        new = [Param(name, value) for name, value in named.items() if name not in self._described]
        for start in range(0, len(new), _PARAMETERS_AT_ONCE):
            self._client.log_batch(self.run_id, params=new[start : start + _PARAMETERS_AT_ONCE])
        self._described |= named.keys()

    def end(self, status: str, time: int) -> None:
        """Set how the stage ended; the job ends with its last stage, or with a stage that did not finish."""
        self._client.set_terminated(self.run_id, status, time)
        config = self._config
        stages = config.spec.stages or []
        # The renamed folder of other inputs does not end the job.
        is_current = Path(config.paths.stage).name == config.stage_name
        if is_current and (status != "FINISHED" or config.stage_name == stages[-1].name):
            self._client.set_terminated(self._parent, status, time)

    def _find_experiment(self) -> str:
        from mlflow.exceptions import MlflowException

        name = self._config.tracking.experiment
        known = self._client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        try:
            return str(self._client.create_experiment(name, artifact_location=self._config.tracking.artifacts))
        except MlflowException:
            # Another trainer has created it in the meantime.
            known = self._client.get_experiment_by_name(name)
            if known is None:
                raise
            return str(known.experiment_id)

    def _find_or_create(self, stage: str | None, name: str, tags: dict[str, str]) -> str:
        run = self._chosen([run for run in self._runs_of_job() if run.data.tags.get(metrics.STAGE_TAG) == stage], tags)
        if run is None:
            run = self._client.create_run(self._experiment, start_time=self._start_time, tags=tags, run_name=name)
        elif self._is_live:
            self._client.update_run(run.info.run_id, status="RUNNING")
        self._described = set(run.data.params)
        return str(run.info.run_id)

    def _chosen(self, runs: "list[Run]", tags: dict[str, str]) -> "Run | None":
        """Choose the run to resume: the one that this folder was shipped to, else the stage's newest, if its inputs are ours."""
        ours = [run for run in runs if _same_inputs(run.data.tags, tags)]
        known = next((run for run in ours if run.info.run_id == self._known_run_id), None)
        # Readers take the newest run, so a live attempt must not resume an older run behind a newer one of other inputs.
        among = runs if self._is_live else ours
        newest = newest_run(among, lambda run: Beginning(run.info.start_time, run.info.run_id), time.time_ns() // 1_000_000)
        return known or (newest if newest in ours else None)

    def _runs_of_job(self) -> "list[Run]":
        mine = f"tags.`{metrics.JOB_UID_TAG}` = '{self._config.job.uid}'"
        page = self._client.search_runs([self._experiment], mine, max_results=_RUNS_AT_ONCE)
        runs = list(page)
        while page.token:
            page = self._client.search_runs([self._experiment], mine, max_results=_RUNS_AT_ONCE, page_token=page.token)
            runs += page
        return runs


@contextmanager
def _locked(job: Path) -> Iterator[None]:
    """Lock the job's folder while its runs are found or created: a sync and an attempt may do this at once."""
    with (job / _LOCK_FILE).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK):
                raise
            # The volume has no locks: in the rare case that both create runs at once, the job has one run too many.
        yield


def _parameters(config: RunConfig) -> dict[str, str]:
    model = config.spec.model.dump() if config.spec.model else {}
    described = {
        **_named(config.stage.settings.dump()),
        **_named(config.compute.dump(), "compute."),
        **_named(model, "base."),
        "model": config.paths.parent_model or model.get("uri") or "",
        "world_size": config.world_size,
    }
    return {name: str(value) for name, value in described.items()}


def _same_inputs(known: dict[str, str], wanted: dict[str, str]) -> bool:
    """Return whether a run was made from the same inputs; a job's run has no inputs."""
    return known.get(metrics.INPUT_HASH_TAG) == wanted.get(metrics.INPUT_HASH_TAG)


def _named(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Name each value as MLflow takes it: datasets.0.uri."""
    return {prefix + ".".join(map(str, keys)): value for keys, value in leaves(tree, opens_all_lists=True)}
