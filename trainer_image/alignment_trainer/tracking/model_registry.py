"""Versions of exported models in MLflow's model registry, each made once."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from alignment_api import metrics
from alignment_api.credentials import without_credentials
from alignment_api.names import SHIPPED_FILE
from alignment_api.problems import first_line
from alignment_api.run_config import RunConfig

from alignment_trainer.failures import BadConfiguration, Unreachable
from alignment_trainer.tracking.tracked_runs import configure_client, log_in

if TYPE_CHECKING:
    from mlflow import MlflowClient


def register(config: RunConfig, name: str, source: str, tags: Mapping[str, str]) -> str:
    """Return the version of a model that this stage has made; it is made only where none has these tags."""
    configure_client()
    log_in(config.tracking)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient(config.tracking.uri)
    mine = {metrics.JOB_UID_TAG: config.job.uid, metrics.INPUT_HASH_TAG: config.input_hash, **tags}
    try:
        return _known(client, name, source, mine) or _made(client, name, source, mine, _run_id(config))
    except (MlflowException, OSError) as error:
        server = without_credentials(config.tracking.uri)
        if isinstance(error, MlflowException) and error.error_code not in ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE"):
            raise BadConfiguration(f"MLflow at {server} refuses a version of the model {name} ({first_line(error)})") from error
        raise Unreachable(
            f"MLflow at {server} does not take a version of the model {name} now ({without_credentials(first_line(error))}); "
            f"the stage tries again later"
        ) from error


def _known(client: "MlflowClient", name: str, source: str, tags: Mapping[str, str]) -> str | None:
    versions = client.search_model_versions(f"name = '{name}'")
    ours = [known for known in versions if known.source == source and tags.items() <= known.tags.items()]
    return str(ours[0].version) if ours else None


def _made(client: "MlflowClient", name: str, source: str, tags: Mapping[str, str], run_id: str | None) -> str:
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    return str(client.create_model_version(name, source, run_id=run_id, tags=dict(tags)).version)


def _run_id(config: RunConfig) -> str | None:
    """Return the MLflow run of the stage; None while MLflow has not taken anything of it."""
    shipped = Path(config.paths.stage) / SHIPPED_FILE
    return json.loads(shipped.read_text()).get("run_id") if shipped.exists() else None
