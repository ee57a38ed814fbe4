"""RunConfigs of this stage and the later ones, for checks before the first stage runs."""

from collections.abc import Iterator
from itertools import islice

from alignment_api.run_config import RunConfig


def stages_to_come(config: RunConfig) -> Iterator[RunConfig]:
    """Return the RunConfig of this stage and of each later one; of the later ones, only stage and compute are right."""
    yield config
    for stage in islice(config.spec.stages or [], config.stage_index + 1, None):
        yield config.model_copy(update={"stage_name": stage.name, "compute": config.spec.compute_of(stage)})
