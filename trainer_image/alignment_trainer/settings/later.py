"""RunConfigs of the other stages of a job, for checks before a stage runs and for what all stages share."""

from collections.abc import Iterator

from alignment_api.run_config import RunConfig
from alignment_api.spec.lineage import building_on, foundations
from alignment_api.spec.stages import Stage


def all_stages(config: RunConfig) -> Iterator[RunConfig]:
    """Return the RunConfig of each stage of the job; of the other stages, only stage and compute are right."""
    for stage in config.spec.stages or []:
        yield _of_stage(config, stage)


def with_those_building_on(config: RunConfig) -> list[RunConfig]:
    """Return the RunConfig of this stage, and then of each that builds on it; of those, only stage and compute are right."""
    return [config, *(_of_stage(config, stage) for stage in building_on(config.spec, config.stage))]


def independent_stages(config: RunConfig) -> list[RunConfig]:
    """Return the RunConfig of each later stage that does not build on this one."""
    building = [each.stage_name for each in with_those_building_on(config)]
    return [each for each in all_stages(config) if each.stage_index > config.stage_index and each.stage_name not in building]


def unfinished_stages(config: RunConfig) -> frozenset[str]:
    """Name the stages that may not have ended when this one starts: all that it does not build on."""
    return frozenset(stage.name for stage in config.spec.stages or []) - foundations(config.spec)[config.stage_name]


def _of_stage(config: RunConfig, stage: Stage) -> RunConfig:
    if stage.name == config.stage_name:
        return config
    return config.model_copy(update={"stage_name": stage.name, "compute": config.spec.compute_of(stage)})
