"""This stage and the later ones."""

from collections.abc import Iterator
from itertools import islice

from alignment_api.run_config import RunConfig


def stages_to_come(config: RunConfig) -> Iterator[RunConfig]:
    """Give this stage and the later ones, each as it will be told; only the first one's processes are known already."""
    yield config
    for stage in islice(config.spec.stages or [], config.stage_index + 1, None):
        yield config.model_copy(update={"stage_name": stage.name, "compute": config.spec.compute_of(stage)})
