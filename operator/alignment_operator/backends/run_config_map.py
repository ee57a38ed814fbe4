"""The ConfigMap that brings the RunConfig to an attempt's pods."""

from alignment_api.names import RUN_CONFIG_FILE
from alignment_api.spec.lineage import digest

from alignment_operator.backends import Manifest
from alignment_operator.backends.labels import metadata
from alignment_operator.deciding.stage_run import StageRun
from alignment_operator.settings import Settings


def run_config_map(run: StageRun, settings: Settings) -> Manifest:
    """Return the ConfigMap of an attempt."""
    config = run.run_config(settings)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {**metadata(run, settings), "name": name_for(run, settings)},
        "data": {RUN_CONFIG_FILE: config.model_dump_json(by_alias=True, exclude_none=True, indent=1)},
    }


def name_for(run: StageRun, settings: Settings) -> str:
    """Return the name of an attempt's ConfigMap."""
    return config_name(run.name, run.job.metadata.uid, run.rendering(settings))


def config_name(child: str, job_uid: str | None, rendering: str) -> str:
    """Name the ConfigMap after its content, so that one left by an earlier job or attempt of this name is never used instead."""
    return f"{child}-{digest([job_uid, rendering])[:8]}"
