"""What the MLflow run of a whole job says of its settings, and of which settings a run is."""

from collections.abc import Mapping

from alignment_api import metrics
from alignment_api.resolving import parameters
from alignment_api.run_config import RunConfig
from alignment_api.spec.compute import Compute
from alignment_api.spec.kinds import KINDS
from pydantic.alias_generators import to_camel

VALUE_LIMIT = 6000
"""The most characters of a parameter that MLflow takes."""

_OF_PODS = {"cpu", "memory", "sharedMemory", "nodeSelector", "tolerations", "rdma"}
_OF_COMPUTE = {to_camel(field) for field in Compute.model_fields}


def job_parameters(config: RunConfig) -> dict[str, str]:
    """Return what people compare jobs by: the settings of the job and of its stages that train or write what is learned."""
    compared = {stage.name for stage in config.spec.stages or [] if KINDS[stage.kind].leaves in ("Model", "Rows")}
    found = parameters.parameters(config.spec.dump())
    return {name: str(value)[:VALUE_LIMIT] for name, value in found.items() if _is_compared(name, compared)}


def agrees(known: Mapping[str, str], tags: Mapping[str, str], config: RunConfig) -> bool:
    """Return whether a run of the whole job is of these settings: MLflow can neither change a parameter nor take back a value.

    Where a stage runs may change between its attempts: the first attempt's values stay.
    """
    if tags.get(metrics.input_hash_tag(config.stage_name), config.input_hash) != config.input_hash:
        return False
    ours, stages = job_parameters(config), {stage.name for stage in config.spec.stages or []}
    return all(ours.get(name) == value for name, value in known.items() if _is_compared(name, stages) and not _is_compute(name))


def _is_compared(name: str, compared: set[str]) -> bool:
    stage, dot, setting = name.partition(".")
    if not dot:
        # A job that gets one stage more stays the same in what it has done.
        return name != parameters.STAGES
    return stage in compared and setting.partition(".")[0] not in _OF_PODS


def _is_compute(name: str) -> bool:
    return name.partition(".")[2].partition(".")[0] in _OF_COMPUTE
