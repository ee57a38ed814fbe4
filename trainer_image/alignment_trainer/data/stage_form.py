"""How each kind of stage reads a row and turns it into tokens: the same for training and for showing rows."""

from collections.abc import Callable
from typing import Any, NamedTuple

from alignment_api.run_config import RunConfig

from alignment_trainer.data.control_tokens import ControlTokens
from alignment_trainer.data.decontamination import EvaluationIndex
from alignment_trainer.data.fitting import Cut
from alignment_trainer.data.preparation import Preparation
from alignment_trainer.data.readers import DIALOGUES, PAIRS, Reader
from alignment_trainer.data.tokens import Tokens, dialogue_tokens, pair_tokens
from alignment_trainer.settings.training import Settings, sft_settings


class StageForm(NamedTuple):
    """How a kind of stage reads and tokenizes a row."""

    columns: tuple[str, ...]
    """The lists of tokens that a row becomes."""
    reader: Reader
    tokenize: Callable[[Any], tuple[Tokens | None, Cut | None]]
    control_tokens: ControlTokens

    def preparation(self, cleaning: tuple[str, ...], evaluations: EvaluationIndex | None) -> Preparation:
        """Return how the rows of one dataset are prepared."""
        return Preparation(self.reader.read, self.tokenize, self.control_tokens, cleaning, evaluations)


def sft_form(config: RunConfig, settings: Settings, tokenizer: Any) -> StageForm:
    """Return how dialogues are read."""
    assistant_only = sft_settings(config).assistant_only_loss
    return StageForm(
        ("input_ids", "labels"),
        DIALOGUES,
        lambda row: dialogue_tokens(row, tokenizer, assistant_only, settings.max_length),
        ControlTokens(tokenizer),
    )


def dpo_form(_: RunConfig, settings: Settings, tokenizer: Any) -> StageForm:
    """Return how pairs are read."""
    return StageForm(
        ("prompt_ids", "chosen_ids", "rejected_ids"),
        PAIRS,
        lambda row: pair_tokens(row, tokenizer, settings.max_length),
        ControlTokens(tokenizer),
    )
