"""Checks the judges of a stage: `python -m alignment_trainer.check_judge RUN_CONFIG`; `alignment check-judge` starts it."""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from pathlib import Path

from alignment_api.run_config import RunConfig
from alignment_api.spec.endpoints import Sampling
from alignment_api.spec.parts import judge_sampling, judges_of

from alignment_trainer.endpoints.asking import open_asking
from alignment_trainer.endpoints.counts import Counts
from alignment_trainer.endpoints.pacing.pace import PATIENCE
from alignment_trainer.endpoints.question import SamplingSettings, Server
from alignment_trainer.failures import StageFailure
from alignment_trainer.judging.canaries import Report, check_judge
from alignment_trainer.process.lifeline import die_with
from alignment_trainer.settings.servers import sampling_settings

_TRUSTED, _FAULTY, _REFUSED = 0, 1, 2
_SEED = 42
_PATIENCE = PATIENCE._replace(longest_wait_seconds=2)
"""A person waits."""
_USUAL = Sampling(temperature=0, top_p=1, maximum_tokens=1024)


def main(arguments: list[str] | None = None) -> int:
    """Ask each judge of a stage questions whose verdict is known, and print a table of what it said."""
    parser = argparse.ArgumentParser(prog="alignment_trainer.check_judge", description="Checks the judges of a stage.")
    parser.add_argument("config", type=Path, help="RunConfig of the stage")
    options = parser.parse_args(arguments)
    config = RunConfig.model_validate_json(options.config.read_text(encoding="utf-8"))
    codes = []
    for field, endpoint in judges_of(config.stage):
        server = Server(f"spec.stages[{config.stage_index}].{field}", endpoint)
        try:
            report, counts = asyncio.run(_checked(config, server))
        except StageFailure as failure:
            print(f"error: {failure}", file=sys.stderr, flush=True)
            codes.append(_REFUSED)
            continue
        print("\n".join(_table(server, report, counts)), flush=True)
        for canary in report.canaries:
            if canary.fault:
                print(f"error: {server.field}: {canary.name}: {canary.fault}", file=sys.stderr, flush=True)
        codes.append(_TRUSTED if report.has_passed else _FAULTY)
    return max(codes)


async def _checked(config: RunConfig, server: Server) -> tuple[Report, Counts]:
    """Ask one judge; nothing is charged to the stage's budget, and no kept answer takes the place of a new one."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_asking(_alone(config, folder), _PATIENCE) as asking:
            await asking.probe([server])
            report = await check_judge(asking, server, _sampling(config), _SEED)
            return report, asking.counts()


def _alone(config: RunConfig, folder: str) -> RunConfig:
    """Return the same stage without a budget, in a workspace of its own."""
    kind = config.stage.kind
    settings = config.stage.settings
    if "budget" in type(settings).model_fields:
        settings = settings.model_copy(update={"budget": None})
    stages = list(config.spec.stages or [])
    stages[config.stage_index] = config.stage.model_copy(update={kind: settings})
    return config.model_copy(
        update={
            "spec": config.spec.model_copy(update={"stages": stages}),
            "paths": config.paths.model_copy(update={"workspace": folder, "stage": folder}),
        }
    )


def _sampling(config: RunConfig) -> SamplingSettings:
    """Return how the judge answers in its stage; what the stage leaves open is as it is for other judges."""
    set_here = {name: value for name, value in judge_sampling(config.stage) or Sampling() if value is not None}
    return sampling_settings(_USUAL.model_copy(update=set_here), "sampling")


def _table(server: Server, report: Report, counts: Counts) -> list[str]:
    rows = [("canary", "wanted", "found"), *(canary[:3] for canary in report.canaries)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    missing = ", ".join(f"{count} {reason}" for reason, count in report.failures.items())
    return [
        f"{server.field}: {server.endpoint.model} at {server.endpoint.base_url}",
        *("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows),
        f"  {counts.requests} requests, {counts.prompt_tokens + counts.answer_tokens:,} tokens"
        + (f", cost {counts.cost:.4g}" if server.endpoint.price else "")
        + (f"; without a verdict: {missing}" if missing else ""),
    ]


if __name__ == "__main__":
    die_with(os.getppid())
    # Ctrl-C ends this program quietly: nothing of it has to be kept.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
