"""The MLflow runs of a job: one for the job, one below it for each stage, found by their tags and gone on with."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from alignment_api import metrics
from alignment_api.run_config import RunConfig

_LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate", "deepspeed", "datasets")
_PARAMETERS_AT_ONCE = 100
_VALUE_LIMIT = 500


class TrackedRuns:
    """The run of this stage and that of its job."""

    def __init__(self, config: RunConfig) -> None:
        # Imported here: this takes a second, which training need not wait for.
        from mlflow import MlflowClient

        self._config = config
        self._client = MlflowClient(config.tracking.uri)
        self._experiment = self._find_experiment()
        job_tags = {
            metrics.JOB_TAG: config.job.name,
            metrics.NAMESPACE_TAG: config.job.namespace,
            metrics.JOB_UID_TAG: config.job.uid,
        }
        self._parent = self._find_or_create(None, config.job.name, job_tags)
        stage_tags = {
            **job_tags,
            metrics.PARENT_TAG: self._parent,
            metrics.STAGE_TAG: config.stage_name,
            metrics.KIND_TAG: config.stage.kind,
            metrics.INPUT_HASH_TAG: config.input_hash,
        }
        self.run_id = self._find_or_create(config.stage_name, f"{config.job.name}/{config.stage_name}", stage_tags)

    def log(self, values: list[tuple[str, float, int, int]]) -> None:
        """Send measurements: name, value, time in milliseconds, step."""
        from mlflow.entities import Metric

        self._client.log_batch(self.run_id, metrics=[Metric(*value) for value in values])

    def end(self, status: str) -> None:
        """Say how the stage ended; its job has ended with its last stage, or with a stage that did not make it."""
        self._client.set_terminated(self.run_id, status)
        stages = self._config.spec.stages or []
        if status != "FINISHED" or self._config.stage_name == stages[-1].name:
            self._client.set_terminated(self._parent, status)

    def _find_experiment(self) -> str:
        from mlflow.exceptions import MlflowException

        name = self._config.tracking.experiment
        known = self._client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        try:
            return str(self._client.create_experiment(name, artifact_location=self._config.tracking.artifacts))
        except MlflowException:
            # Another job's trainer was faster.
            known = self._client.get_experiment_by_name(name)
            if known is None:
                raise
            return str(known.experiment_id)

    def _find_or_create(self, stage: str | None, name: str, tags: dict[str, str]) -> str:
        job = self._config.job.uid
        for run in self._client.search_runs([self._experiment], f"tags.`{metrics.JOB_UID_TAG}` = '{job}'", max_results=1000):
            if run.data.tags.get(metrics.STAGE_TAG) == stage and _same_inputs(run.data.tags, tags):
                self._client.update_run(run.info.run_id, status="RUNNING")
                break
        else:
            run = self._client.create_run(self._experiment, tags=tags, run_name=name)
        if stage is not None and not run.data.params:
            self._describe(str(run.info.run_id))
        return str(run.info.run_id)

    def _describe(self, run_id: str) -> None:
        from mlflow.entities import Param

        config = self._config
        parameters = dict(_flat(config.stage.settings.dump()))
        parameters["model"] = config.paths.parent_model or (config.spec.model.uri if config.spec.model else None) or ""
        parameters["world_size"] = config.world_size
        parameters |= {f"versions.{library}": version(library) for library in _LIBRARIES}
        entries = [Param(name, str(value)[:_VALUE_LIMIT]) for name, value in parameters.items()]
        for start in range(0, len(entries), _PARAMETERS_AT_ONCE):
            self._client.log_batch(run_id, params=entries[start : start + _PARAMETERS_AT_ONCE])


def _same_inputs(known: dict[str, str], wanted: dict[str, str]) -> bool:
    """Say whether a stage's run was made from the same inputs; a job's run has none of its own."""
    return known.get(metrics.INPUT_HASH_TAG) == wanted.get(metrics.INPUT_HASH_TAG)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flat(item, f"{path}.{index}")
    else:
        yield path, value
