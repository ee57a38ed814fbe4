"""Publishes the student of the best round as the model of the stage, as any stage that trains publishes its model."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelerate import PartialState
from alignment_api import metrics
from alignment_api.names import MANIFEST_FILE, METRICS_FILE, MODEL_FOLDER
from alignment_api.problems import Problem
from alignment_api.run_config import RunConfig

from alignment_trainer.settings.given import stage_path
from alignment_trainer.synthesis.rounds import gain
from alignment_trainer.synthesis.rounds.ended import Ended, summary
from alignment_trainer.synthesis.rounds.lessons import without_lesson
from alignment_trainer.synthesis.rounds.round_config import Student
from alignment_trainer.training.publishing import ADAPTER_FILES, ADAPTER_FOLDER, PUBLISHED_FILES, link_files, publish_folder
from alignment_trainer.workspace.journal import Journal, latest_values
from alignment_trainer.workspace.stage_folder import finish
from alignment_trainer.workspace.stage_warnings import recorded_warnings, warn


def publish_best(config: RunConfig, start: Student, ended: Sequence[Ended]) -> None:
    """Publish the student with the highest judged win rate, without a judge the last one; the rounds keep their pairs."""
    if not PartialState().is_main_process:
        return
    stage = Path(config.paths.stage)
    best = ended[gain.best_round([each.outcomes for each in ended]) - 1] if ended[-1].judged else ended[-1]
    _warn_of_loss(config, best)
    steps = sum(each.steps for each in ended)
    # Rounds that were not needed are no steps to come.
    Journal(stage).append(steps, {}, {metrics.TOTAL_STEPS: float(steps), metrics.SECONDS_LEFT: 0.0})
    source = best.one.folder
    if len(ended) == 1 and (source / ADAPTER_FOLDER).exists():
        # The adapter of a later round belongs to the model of the round before, which is not kept.
        publish_folder(stage / ADAPTER_FOLDER, lambda folder: link_files(source / ADAPTER_FOLDER, folder, ADAPTER_FILES))
    publish_folder(stage / MODEL_FOLDER, lambda folder: link_files(source / MODEL_FOLDER, folder, PUBLISHED_FILES))
    finish(config, _manifest(config, start, ended, best))
    for each in ended:
        for folder in (MODEL_FOLDER, ADAPTER_FOLDER):
            shutil.rmtree(each.one.folder / folder, ignore_errors=True)


def _manifest(config: RunConfig, start: Student, ended: Sequence[Ended], best: Ended) -> dict[str, Any]:
    stage = Path(config.paths.stage)
    of_round: dict[str, Any] = json.loads((best.one.folder / MANIFEST_FILE).read_text())
    return {
        **of_round,
        "attempt": config.attempt,
        "inputHash": config.input_hash,
        "settings": config.stage.settings.dump(),
        "steps": sum(each.steps for each in ended),
        "weights": {"start": start.weights, "made": best.made.weights},
        "metrics": latest_values(stage / METRICS_FILE),
        "warnings": recorded_warnings(stage),
        "withoutLesson": without_lesson(stage),
        "rounds": summary(ended),
        "publishedRound": best.one.number,
    }


def _warn_of_loss(config: RunConfig, best: Ended) -> None:
    if not best.judged:
        return
    rate = gain.rate(best.outcomes)
    if rate.value is not None and rate.error is not None and rate.value - 0.5 <= rate.error:
        shown = f"wins {rate.value:.3f} ± {rate.error:.3f} of {rate.count} questions against the start of the stage"
        message = f"the best student, of round {best.one.number}, {shown}, which is no more than chance"
        warn(Path(config.paths.stage), [Problem(stage_path(config), message)])
