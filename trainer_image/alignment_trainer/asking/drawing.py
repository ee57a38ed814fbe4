"""Draws the prompts of a job from the rows that its stages hold out, with the seed of each stage."""

import random
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from pkgutil import resolve_name
from typing import Any, NamedTuple

from alignment_api.files import locked
from alignment_api.run_config import RunConfig
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.lineage import digest

from alignment_trainer.asking.prompts import JobPrompts, Prompt, read_prompts, write_prompts
from alignment_trainer.checks.kinds import kind_of
from alignment_trainer.data.fates import HELD_OUT
from alignment_trainer.data.preparation import Preparation
from alignment_trainer.data.selection import Selected, select
from alignment_trainer.data.stage_form import StageForm
from alignment_trainer.data.tokens import asked_ids
from alignment_trainer.failures import BadData, StageFailure
from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.forms.messages import Text
from alignment_trainer.reading.sources import PlacedRow
from alignment_trainer.settings.later import all_stages
from alignment_trainer.settings.training import Settings, training_settings

MOST_OF_STAGE, MOST_OF_JOB = 4, 8
"""Few prompts, so that answering them takes little time compared to an evaluation."""
_SHORT, _SHARE_OF_ROW = 512, 4
"""A prompt has at most 512 tokens or a quarter of maxLength: four that are answered at once are about as long as one row that
is trained on, so that their keys and values, which no estimate counts, stay small beside what training needs."""
_CANDIDATES = 16
"""Rows that are drawn for each prompt, since some are left out, too long, or have no prompt."""


class _Stage(NamedTuple):
    """A stage that trains and holds rows out."""

    config: RunConfig
    settings: Settings
    most: int
    """How many prompts are drawn from its rows."""

    @property
    def drawn_from(self) -> str:
        """Return a hash of everything that decides which rows are held out and drawn."""
        datasets, holdout = self.settings.datasets, self.settings.holdout
        assert holdout is not None
        parts = [self.config.stage.kind, [each.dump() for each in datasets], holdout.dump(), self.settings.seed, self.most]
        return digest(parts)


def job_prompts(config: RunConfig, tokenizer: Any) -> list[Prompt]:
    """Return the job's prompts; draw and write those of stages that have none yet, or that now hold out other rows."""
    job = Path(config.paths.stage).parent
    # A stage beside this one asks the same prompts.
    with locked(job, "prompts"):
        known = read_prompts(job)
        found = _drawn(config, known, tokenizer)
        if found != known:
            write_prompts(job, found)
    return found.prompts


def _drawn(config: RunConfig, known: JobPrompts, tokenizer: Any) -> JobPrompts:
    stages = list(_stages_with_holdout(config))
    shortest = min((stage.settings.max_length for stage in stages), default=0)
    for stage in stages:
        if known.drawn.get(stage.config.stage_name) != stage.drawn_from:
            is_begun = stage.config.stage_name == config.stage_name
            known = _with_prompts_of(stage, known, tokenizer, _longest(shortest), is_begun)
    return known


def _longest(max_length: int) -> int:
    return min(max_length, max(_SHORT, max_length // _SHARE_OF_ROW))


def _stages_with_holdout(config: RunConfig) -> Iterator[_Stage]:
    trained = [each for each in all_stages(config) if KINDS[each.stage.kind].trains]
    held_out = [(each, settings) for each in trained if (settings := training_settings(each)).holdout]
    for index, (each, settings) in enumerate(held_out):
        # Dealt in turn, so that each of many stages has some.
        yield _Stage(each, settings, min(MOST_OF_STAGE, len(range(index, MOST_OF_JOB, len(held_out)))))


def _with_prompts_of(stage: _Stage, known: JobPrompts, tokenizer: Any, longest: int, is_begun: bool) -> JobPrompts:
    """Return the prompts with those of a stage; without them if the stage itself has to draw them later."""
    name = stage.config.stage_name
    others = [prompt for prompt in known.prompts if prompt.stage != name]
    try:
        found = list(islice(_prompts_in(stage, tokenizer, longest, others), stage.most))
    except StageFailure as failure:
        # Preflight reports what is wrong with rows; those that another stage has yet to write are not wrong.
        print(f"{stage.settings.path}: no prompts to ask are drawn from its rows yet: {failure}", file=sys.stderr, flush=True)
        return known
    if not found and not is_begun:
        return known
    return JobPrompts(drawn={**known.drawn, name: stage.drawn_from}, prompts=[*others, *found])


def _prompts_in(stage: _Stage, tokenizer: Any, longest: int, others: list[Prompt]) -> Iterator[Prompt]:
    """Yield the usable prompts among the drawn rows, in the order of the draw; none that is asked already."""
    form: StageForm = resolve_name(kind_of(stage.config).form)(stage.config, stage.settings, tokenizer)
    asked = [(prompt.prompt, prompt.tools) for prompt in others]
    for row, preparation in _drawn_rows(stage, form):
        prompt = _prompt_of(row, preparation, stage.config.stage_name)
        if prompt and (prompt.prompt, prompt.tools) not in asked and len(asked_ids(prompt.example, tokenizer)) <= longest:
            asked.append((prompt.prompt, prompt.tools))
            yield prompt


def _drawn_rows(stage: _Stage, form: StageForm) -> Iterator[tuple[PlacedRow, Preparation]]:
    sets: list[Selected] = select(stage.config, stage.settings, form.reader.find).parts[HELD_OUT]
    places = [(number, position) for number, one in enumerate(sets) for position in one.wanted]
    drawn = random.Random(stage.settings.seed).sample(places, min(len(places), stage.most * _CANDIDATES))
    rows: dict[tuple[int, int], PlacedRow] = {}
    for number, one in enumerate(sets):
        wanted = sorted(position for owner, position in drawn if owner == number)
        rows |= {(number, position): row for position, row in zip(wanted, one.source.rows(frozenset(wanted)), strict=True)}
    for place in drawn:
        yield rows[place], form.preparation(sets[place[0]].cleaning, None)


def _prompt_of(row: PlacedRow, preparation: Preparation, stage: str) -> Prompt | None:
    """Return the prompt of a row; None if the row is not evaluated on, or has no prompt."""
    try:
        prepared = preparation.prepared(row)
    except BadData:
        return None
    if prepared.tokens is None:
        return None
    example = preparation.cleaned(preparation.read(row.values).example)
    prompt, answers = _asked(example)
    return Prompt(key=prepared.content.hex()[:12], stage=stage, prompt=prompt, tools=example.tools, **answers) if prompt else None


def _asked(example: Dialogue | Pair) -> tuple[Text, dict[str, Text]]:
    """Return what is asked and how the row answers it; of a dialogue, up to the first answer that is learned."""
    if isinstance(example, Pair):
        return example.prompt, {"chosen": example.chosen, "rejected": example.rejected}
    if isinstance(example.answer, str):
        return example.prompt or "", {"reference": example.answer}
    learned = [
        position
        for position, message in enumerate(example.answer)
        if message["role"] == "assistant" and position not in example.unlearned
    ]
    before = [message for message in example.prompt or [] if isinstance(message, dict)]
    first = learned[0] if learned else 0
    return [*before, *example.answer[:first]], {"reference": [example.answer[first]]}
