"""The MLflow runs of a job: a run of the whole job, and below it one run for each stage, found again by their tags."""

import json
import logging
import os
import re
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alignment_api import metrics
from alignment_api.credentials import read_login
from alignment_api.files import locked
from alignment_api.run_config import RunConfig, TrackingTarget
from alignment_api.runs import Beginning, RunIds, newest_run
from alignment_api.trees import leaves

from alignment_trainer.process.garbage import loading_libraries
from alignment_trainer.tracking.endings import job_ending
from alignment_trainer.tracking.headlines import Measured
from alignment_trainer.tracking.job_run import VALUE_LIMIT, agrees, job_parameters

if TYPE_CHECKING:
    from mlflow.entities import Run

_PARAMETERS_AT_ONCE = 100
_RUNS_AT_ONCE = 1000
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

    def __init__(self, config: RunConfig, is_live: bool, start_time: int | None, known: RunIds | None = None) -> None:
        log_in(config.tracking)
        # Imported late: this takes a second, and training must not wait for it.
        with loading_libraries():
            from mlflow import MlflowClient

        self._config = config
        self._is_live = is_live
        self._start_time = start_time
        self._described: dict[str, set[str]] = {}
        # The renamed folder of other inputs is not what the job is about now.
        self._is_current = Path(config.paths.stage).name == config.stage_name
        self._is_superseded = False
        with locked(Path(config.paths.stage).parent, "tracking"):
            # The first client of a database creates its tables.
            self._client = MlflowClient(config.tracking.uri)
            self._experiment = self._find_experiment()
            runs = self._runs_of_job()
            job = self._job_run(runs, known.job_run_id if known else None)
            stage = self._stage_run(runs, known.run_id if known else None, job)
            if is_live or known is None or known.job_run_id != job:
                self._describe(job, job_parameters(config))
        self.ids = RunIds(run_id=stage, experiment_id=self._experiment, job_run_id=job)
        self.describe(_parameters(config))

    def log(self, values: Collection[Measured]) -> None:
        """Send measurements of the stage."""
        self._log(self.ids.run_id, values)

    def log_headlines(self, values: Collection[Measured]) -> None:
        """Send what the run of the whole job shows of the stage."""
        assert self.ids.job_run_id
        self._log(self.ids.job_run_id, values)

    def note_progress(self, time: int) -> None:
        """Tell when training last advanced, in milliseconds since 1970, without a measurement."""
        log_in(self._config.tracking)
        self._client.set_tag(self.ids.run_id, metrics.PROGRESS_TIME_TAG, str(time))

    def log_samples(self, step: int, rows: list[dict[str, Any]]) -> None:
        """Log the policy's answers at a step as a file of the run."""
        self._client.log_text(self.ids.run_id, json.dumps(rows, indent=1, ensure_ascii=False), f"samples/step-{step}.json")

    def log_files(self, paths: Sequence[Path], folder: str) -> None:
        """Log files of the stage in a folder of its run, in place of those of the same name."""
        for path in paths:
            self._client.log_artifact(self.ids.run_id, str(path), folder)

    def describe(self, parameters: Mapping[str, str]) -> None:
        """Log the parameters that the stage's run does not have yet; MLflow cannot change those of an earlier attempt."""
        self._describe(self.ids.run_id, parameters)

    def end(self, status: str, time: int) -> None:
        """Set how the stage ended, and how the job did if this was the end of it."""
        self._client.set_terminated(self.ids.run_id, status, time)
        ended = job_ending(self._config, status) if self._is_current else status if self._is_superseded else None
        if ended:
            self._client.set_terminated(self.ids.job_run_id, ended, time)

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

    def _job_run(self, runs: "list[Run]", known_id: str | None) -> str:
        """Find or create the run of the job with these settings."""
        config = self._config
        mine = {metrics.input_hash_tag(config.stage_name): config.input_hash}
        of_job = [run for run in runs if metrics.STAGE_TAG not in run.data.tags]
        # A finished stage belongs to the run that it was shipped to, also if later stages have got other settings.
        kept = None if self._is_live else known_id
        ours = [run for run in of_job if run.info.run_id == kept or agrees(run.data.params, run.data.tags, config)]
        run = self._resume_or_create(of_job, ours, known_id, config.job.name, {**_job_tags(config), **mine})
        self._set_tags(run, mine)
        others = [other for other in of_job if other.info.run_id != run.info.run_id]
        self._is_superseded = newest_run([run, *others], _beginning, _now()) is not run
        for other in others:
            if self._is_live and other.info.status == "RUNNING":
                self._client.set_terminated(other.info.run_id, "KILLED", _now())
        return str(run.info.run_id)

    def _stage_run(self, runs: "list[Run]", known_id: str | None, job_run_id: str) -> str:
        config = self._config
        of_stage = [run for run in runs if run.data.tags.get(metrics.STAGE_TAG) == config.stage_name]
        ours = [run for run in of_stage if run.data.tags.get(metrics.INPUT_HASH_TAG) == config.input_hash]
        parent = {metrics.PARENT_TAG: job_run_id}
        name = f"{config.job.name}/{config.stage_name}"
        run = self._resume_or_create(of_stage, ours, known_id, name, {**_stage_tags(config), **parent})
        self._set_tags(run, parent)
        return str(run.info.run_id)

    def _resume_or_create(
        self, runs: "list[Run]", ours: "list[Run]", known_id: str | None, name: str, tags: dict[str, str]
    ) -> "Run":
        """Resume the run that this folder was shipped to, else the newest, if it is ours."""
        known = next((run for run in ours if run.info.run_id == known_id), None)
        # Readers take the newest run, so a live attempt must not resume an older run behind a newer one of other inputs.
        newest = newest_run(runs if self._is_live else ours, _beginning, _now())
        run = known or (newest if newest in ours else None)
        if run is None:
            run = self._client.create_run(self._experiment, start_time=self._start_time, tags=tags, run_name=name)
        elif self._is_live:
            self._client.update_run(run.info.run_id, status="RUNNING")
        self._described[run.info.run_id] = set(run.data.params)
        return run

    def _set_tags(self, run: "Run", tags: Mapping[str, str]) -> None:
        for name, value in tags.items():
            if run.data.tags.get(name) != value:
                self._client.set_tag(run.info.run_id, name, value)

    def _log(self, run_id: str, values: Collection[Measured]) -> None:
        from mlflow.entities import Metric

        # The mounted Secret may have changed.
        log_in(self._config.tracking)
        self._client.log_batch(run_id, metrics=[Metric(*value) for value in values])

    def _describe(self, run_id: str, parameters: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        # Names of datasets may contain characters that MLflow refuses.
        named = {re.sub(r"[^\w\-. :/]", "_", name): value[:VALUE_LIMIT] for name, value in parameters.items()}
        new = [Param(name, value) for name, value in named.items() if name not in self._described[run_id]]
        for start in range(0, len(new), _PARAMETERS_AT_ONCE):
            self._client.log_batch(run_id, params=new[start : start + _PARAMETERS_AT_ONCE])
        self._described[run_id] |= named.keys()

    def _runs_of_job(self) -> "list[Run]":
        mine = f"tags.`{metrics.JOB_UID_TAG}` = '{self._config.job.uid}'"
        page = self._client.search_runs([self._experiment], mine, max_results=_RUNS_AT_ONCE)
        runs = list(page)
        while page.token:
            page = self._client.search_runs([self._experiment], mine, max_results=_RUNS_AT_ONCE, page_token=page.token)
            runs += page
        return runs


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


def _job_tags(config: RunConfig) -> dict[str, str]:
    return {
        metrics.JOB_TAG: config.job.name,
        metrics.NAMESPACE_TAG: config.job.namespace,
        metrics.JOB_UID_TAG: config.job.uid,
    }


def _stage_tags(config: RunConfig) -> dict[str, str]:
    return {
        **_job_tags(config),
        metrics.STAGE_TAG: config.stage_name,
        metrics.KIND_TAG: config.stage.kind,
        metrics.STAGE_INDEX_TAG: str(config.stage_index),
        metrics.INPUT_HASH_TAG: config.input_hash,
    }


def _beginning(run: "Run") -> Beginning:
    return Beginning(run.info.start_time, run.info.run_id)


def _now() -> int:
    return time.time_ns() // 1_000_000


def _named(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Name each value as MLflow takes it: datasets.0.uri."""
    return {prefix + ".".join(map(str, keys)): value for keys, value in leaves(tree, opens_all_lists=True)}
