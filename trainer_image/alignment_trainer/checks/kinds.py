"""What each kind of stage is in this trainer: its page, its settings and the datasets it reads, one row a kind."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from alignment_api.run_config import RunConfig

from alignment_trainer.checks.datasets import Findings, Rows, feedback_rows, held_out_rows, prompt_rows, training_rows
from alignment_trainer.checks.exports import check_export, export_rows
from alignment_trainer.checks.opened_tasks import opened_faults
from alignment_trainer.checks.start_template import lacks_template
from alignment_trainer.checks.tasks import check_evaluation, evaluation_rows, joined_faults
from alignment_trainer.data.readers import DIALOGUES, PAIRS
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.settings.dpo_distillation import dpo_distillation_settings
from alignment_trainer.settings.feedback import check_feedback
from alignment_trainer.settings.given import stage_path
from alignment_trainer.settings.synthesis import distill_settings
from alignment_trainer.settings.training import dpo_settings, sft_settings

Faults = Callable[[RunConfig, Findings], Iterator[str]]


def _never(_: RunConfig) -> bool:
    return False


def _no_faults(config: RunConfig, findings: Findings) -> Iterator[str]:
    return iter(())


class Kind(NamedTuple):
    """How this trainer runs one kind of stage; what all programs know of a kind is in the API's table."""

    page: str
    """The module whose `run(config)` is the stage; a name, since the module loads torch."""
    settings: Callable[[RunConfig], object]
    """Reads the settings that only this kind has, and refuses the job where one is missing."""
    reads: Callable[[RunConfig], Iterator[Rows]]
    """Returns the datasets that the stage reads, so that their rows are checked before any stage starts."""
    token_bytes: int = 0
    """The bytes of one token on the workspace volume, with what is written beside it; 0 if the stage writes none."""
    needs_answers: Callable[[RunConfig], bool] = _never
    """Whether the loss needs to know which tokens of a dialogue are its answers."""
    form: str = ""
    """The function `form(config, settings, tokenizer)` that returns how a stage that trains reads its rows; a name, too."""
    makes_rows: bool = False
    """Whether a stage that trains makes its rows itself: what it reads is then no row to learn."""
    joined_faults: Faults = _no_faults
    """Yields why rows lack what belongs to them in other files; only after all of these were read."""
    opened_faults: Faults = _no_faults
    """Yields what only libraries find that open the rows in the stage itself; a process of their own loads these."""


def _dpo_distillation_rows(config: RunConfig) -> Iterator[Rows]:
    settings = dpo_distillation_settings(config)
    if lacks_template(config):
        raise BadConfiguration(
            "spec.model.chatTemplate: the student's tokenizer has no chat template, and questions are asked as dialogues; "
            "set it to Zephyr or ChatML"
        )
    yield from prompt_rows(f"{settings.path}.prompts", settings.prompts)
    if settings.judge:
        yield from prompt_rows(f"{settings.judge.path}.questions", settings.judge.questions)
    yield from held_out_rows(config, PAIRS)


KINDS: dict[str, Kind] = {
    "distill": Kind(
        "alignment_trainer.stages.distill",
        distill_settings,
        lambda config: prompt_rows(f"{stage_path(config)}.prompts", distill_settings(config).prompts),
    ),
    "feedback": Kind("alignment_trainer.stages.feedback", check_feedback, feedback_rows),
    "sft": Kind(
        "alignment_trainer.stages.sft",
        sft_settings,
        partial(training_rows, reader=DIALOGUES),
        token_bytes=8,
        needs_answers=lambda config: sft_settings(config).assistant_only_loss,
        form="alignment_trainer.data.stage_form:sft_form",
    ),
    "dpo": Kind(
        "alignment_trainer.stages.dpo",
        dpo_settings,
        partial(training_rows, reader=PAIRS),
        token_bytes=4,
        form="alignment_trainer.data.stage_form:dpo_form",
    ),
    "dpo_distillation": Kind(
        "alignment_trainer.stages.dpo_distillation",
        dpo_distillation_settings,
        _dpo_distillation_rows,
        token_bytes=4,
        form="alignment_trainer.data.stage_form:dpo_form",
        makes_rows=True,
    ),
    "evaluate": Kind(
        "alignment_trainer.stages.evaluate",
        check_evaluation,
        evaluation_rows,
        joined_faults=joined_faults,
        opened_faults=opened_faults,
    ),
    "export": Kind("alignment_trainer.stages.export", check_export, export_rows),
}


def kind_of(config: RunConfig) -> Kind:
    """Return the row of a stage's kind."""
    if config.stage.kind not in KINDS:
        raise BadConfiguration(f"{stage_path(config)}: this trainer cannot run such a stage; it runs {', '.join(KINDS)}")
    return KINDS[config.stage.kind]
