"""RunConfigs of the other stages of a job, for checks before the first stage runs and for what all stages share."""

from collections.abc import Iterator
from itertools import islice

from alignment_api.run_config import RunConfig
from alignment_api.spec.stages import Stage


def all_stages(config: RunConfig) -> Iterator[RunConfig]:
    """Return the RunConfig of each stage of the job; of the other stages, only stage and compute are right."""
    for stage in config.spec.stages or []:
        yield _of_stage(config, stage)


def stages_to_come(config: RunConfig) -> Iterator[RunConfig]:
    """Return the RunConfig of this stage and of each later one; of the later ones, only stage and compute are right."""
    return islice(all_stages(config), config.stage_index, None)


def _of_stage(config: RunConfig, stage: Stage) -> RunConfig:
    if stage.name == config.stage_name:
        return config
    return config.model_copy(update={"stage_name": stage.name, "compute": config.spec.compute_of(stage)})
