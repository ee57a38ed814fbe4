"""Teachers write the dialogues that later stages train on."""

from alignment_api.run_config import RunConfig

from alignment_trainer.settings.synthesis import distill_settings
from alignment_trainer.synthesis.answers import Answers
from alignment_trainer.synthesis.prompts import prompts_of
from alignment_trainer.synthesis.publishing import publish_rows
from alignment_trainer.synthesis.stopping import StoppableAsking, run_until_stopped
from alignment_trainer.synthesis.writing import Report, write_rows


def run(config: RunConfig) -> None:
    """Have the rows written, and publish them."""
    settings = distill_settings(config)

    async def write(asking: StoppableAsking) -> Report:
        prompts, total = prompts_of(config, settings.prompts, f"{settings.path}.prompts", settings.seed)
        make = Answers(settings, asking)
        return await write_rows(config, prompts, total, make, asking, settings.maximum_failed_share)

    publish_rows(config, run_until_stopped(config, write))
