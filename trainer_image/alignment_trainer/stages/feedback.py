"""Preference pairs: an ensemble answers and a judge scores its answers, or the rows were judged before the job."""

from pathlib import Path

from alignment_api.run_config import RunConfig

from alignment_trainer.forms.pairs.judged import judged_answers
from alignment_trainer.settings.feedback import (
    EnsembleSettings,
    PairSettings,
    ensemble_settings,
    judged_datasets,
    maximum_failed_share,
    pair_settings,
)
from alignment_trainer.settings.given import stage_path
from alignment_trainer.synthesis.made import LeftOut
from alignment_trainer.synthesis.pairs.ensemble import Ensemble
from alignment_trainer.synthesis.pairs.ensemble_pairs import EnsemblePairs, OwnAnswers
from alignment_trainer.synthesis.pairs.judged import JudgedFile
from alignment_trainer.synthesis.pairs.pair_rows import JudgedPairs
from alignment_trainer.synthesis.pairs.report import Tally, publish_pairs
from alignment_trainer.synthesis.prompts import Prompt, prompts_of
from alignment_trainer.synthesis.stopping import StoppableAsking, run_until_stopped
from alignment_trainer.synthesis.writing import Report, write_rows


def run(config: RunConfig) -> None:
    """Make the pairs of a stage, and publish them."""
    pairs = pair_settings(config)
    if judged_datasets(config) is None:
        _pair_answers(config, ensemble_settings(config), pairs)
    else:
        _pair_judged(config, pairs)


def _pair_answers(config: RunConfig, settings: EnsembleSettings, pairs: PairSettings) -> None:
    """Have the prompts answered and judged; the job's own models answer first, on all processes."""
    ensemble = Ensemble(len(settings.members), settings.answers_per_prompt, settings.principles, pairs.seed)
    if not any(member.model for member in settings.members):
        _ask_and_pair(config, settings, pairs, ensemble, {})
        return
    # Only here, since these load torch.
    from alignment_trainer.synthesis.first_process import on_first_process
    from alignment_trainer.synthesis.pairs.own_answers import OwnModels

    prompts, _ = prompts_of(config, settings.prompts, f"{settings.path}.prompts", pairs.seed)
    # All prompts are kept at once, so without their rows: these may hold far more than the question.
    asked = [prompt._replace(row={}) for prompt in prompts if isinstance(prompt, Prompt)]
    own = OwnModels(config, settings, ensemble, asked)
    own.answer()
    on_first_process(lambda: _ask_and_pair(config, settings, pairs, ensemble, own.said()))


def _ask_and_pair(
    config: RunConfig, settings: EnsembleSettings, pairs: PairSettings, ensemble: Ensemble, own: OwnAnswers
) -> None:
    judged = JudgedFile(Path(config.paths.stage))

    async def write(asking: StoppableAsking) -> Report:
        prompts, total = prompts_of(config, settings.prompts, f"{settings.path}.prompts", pairs.seed)
        make = EnsemblePairs(settings, pairs, ensemble, asking, own, judged)
        return await write_rows(config, prompts, total, make, asking, maximum_failed_share(config))

    report, tally = run_until_stopped(config, write), Tally()
    for prompt in judged.read():
        tally.add_judged(prompt)
    publish_pairs(config, report, tally)


def _pair_judged(config: RunConfig, pairs: PairSettings) -> None:
    """Pair the answers of rows that were judged before the job; no server is asked."""
    judged = judged_datasets(config)
    assert judged is not None
    path = f"{stage_path(config)}.judged"

    async def write(asking: StoppableAsking) -> Report:
        prompts, total = prompts_of(config, judged, path, pairs.seed)
        return await write_rows(config, prompts, total, JudgedPairs(pairs), asking, maximum_failed_share(config))

    report, tally = run_until_stopped(config, write), Tally()
    for prompt in prompts_of(config, judged, path, pairs.seed)[0]:
        if not isinstance(prompt, LeftOut):
            tally.add_scored(judged_answers(prompt.row))
    publish_pairs(config, report, tally)
