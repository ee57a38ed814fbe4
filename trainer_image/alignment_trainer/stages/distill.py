"""Teachers write the dialogues that later stages train on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from alignment_api.problems import Problem
from alignment_api.run_config import RunConfig

from alignment_trainer.settings.synthesis import DistillSettings, distill_settings
from alignment_trainer.synthesis.distilling.answers import Answers
from alignment_trainer.synthesis.distilling.dialogues import Dialogues
from alignment_trainer.synthesis.made import LeftOut, Made
from alignment_trainer.synthesis.progress import Progress
from alignment_trainer.synthesis.prompts import Prompt, alone, prompts_of
from alignment_trainer.synthesis.publishing import publish_rows
from alignment_trainer.synthesis.stopping import StoppableAsking, run_until_stopped
from alignment_trainer.synthesis.writing import Report, write_rows
from alignment_trainer.workspace.stage_warnings import warn


def run(config: RunConfig) -> None:
    """Have the rows written, and publish them."""
    settings = distill_settings(config)
    written = run_until_stopped(config, lambda asking: write(config, settings, asking))
    publish_rows(config, written.report, **written.more)


class Written(NamedTuple):
    """The rows, and what the manifest says of them beside their counts."""

    report: Report
    more: dict[str, Any]


async def write(config: RunConfig, settings: DistillSettings, asking: StoppableAsking) -> Written:
    """Have the teachers write a row for each prompt; of seed tasks, for each new instruction."""
    prompts, total = prompts_of(config, settings.prompts, f"{settings.path}.prompts", settings.seed)
    more: dict[str, Any] = {}
    if settings.method == "SelfInstruct":
        prompts, total, more["instructions"] = await _grown(config, settings, prompts, asking)
    make = Dialogues(settings, asking) if settings.method == "Dialogues" else Answers(settings, asking)
    return Written(await write_rows(config, prompts, total, make, asking, settings.maximum_failed_share), more)


async def _grown(
    config: RunConfig, settings: DistillSettings, tasks: Iterator[Prompt | LeftOut], asking: StoppableAsking
) -> tuple[Iterator[Prompt | LeftOut], int, dict[str, Any]]:
    """Return new instructions in place of seed tasks, how many they are, and what the manifest says of them."""
    # Its library takes seconds to load.
    from alignment_trainer.synthesis.distilling.growth import grow

    stage = Path(config.paths.stage)
    seeds = [task.messages[-1]["content"] for task in tasks if isinstance(task, Prompt)]
    assert settings.instructions is not None
    async with Progress(config, Made(stage, settings.instructions), settings.instructions, asking).reported():
        grown = await grow(settings, seeds, stage, asking)
    found = len(grown.instructions)
    if found < grown.wanted:
        few = f"only {found} of {grown.wanted} instructions are new; add seed tasks, or raise maximumSimilarity or temperature"
        warn(stage, [Problem(settings.path, few)])
    prompts = (alone(text, f"instruction {number}") for number, text in enumerate(grown.instructions, start=1))
    counts = {"dropped": dict(grown.dropped), "unanswered": dict(grown.unanswered)}
    return prompts, found, {"seeds": len(seeds), "new": found, **counts}
