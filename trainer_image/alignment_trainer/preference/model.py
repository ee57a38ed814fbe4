"""Which models can answer pairs that share rows and prompts, and asking them."""

from typing import Any

import torch
from alignment_api.memory.shape import PACKED_FAMILIES

from alignment_trainer.preference.attention import NAME
from alignment_trainer.preference.head import AnswerHead, Losses, Question
from alignment_trainer.training.measurements import AnswerSums


def unfit(configuration: Any, max_length: int) -> str | None:
    """Say why a model cannot take pairs in shared rows; None where it can."""
    if configuration.model_type not in PACKED_FAMILIES:
        return f"models of the family {configuration.model_type} have not been shown to compute the same that way"
    if getattr(configuration, "use_bidirectional_attention", False):
        return "its tokens see those after them too"
    window = getattr(configuration, "sliding_window", None) if getattr(configuration, "use_sliding_window", True) else None
    if window and window < max_length:
        return f"its attention reaches back {window} tokens only, and maxLength is {max_length}"
    angles = getattr(configuration, "rope_parameters", None) or {}
    if angles.get("rope_type") == "longrope" and max_length > angles["original_max_position_embeddings"]:
        known = angles["original_max_position_embeddings"]
        return f"it reads rows with a text of more than {known} tokens otherwise than others, and maxLength is {max_length}"
    return None


def disable_dropout(model: Any) -> None:
    """Have policy and reference computed alike."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        # BLOOM calls a module so, which is one of the former.
        if isinstance(getattr(module, "attention_dropout", None), int | float):
            module.attention_dropout = 0.0


class PairModel:
    """Asks a model about pairs; `model` is itself, or what wraps it for training."""

    def __init__(self, model: Any) -> None:
        model.set_attn_implementation(NAME)
        self._head = AnswerHead(model.get_output_embeddings())

    def ask(self, model: Any, inputs: dict[str, Any], losses: Losses | None) -> tuple[torch.Tensor, AnswerSums]:
        """Give the mean loss over pairs, and what was measured; without losses, log-probabilities alone."""
        known = {name: value for name, value in inputs.items() if name in _FOR_MODEL}
        self._head.question = question = Question(inputs["targets"], inputs["counts"], losses)
        try:
            # A mask of four dimensions is taken as it is: the segments say who sees whom.
            loss = model(
                **known,
                attention_mask=inputs["input_ids"].new_ones(1, 1, 1, 1, dtype=torch.bool),
                logits_to_keep=inputs["predicting"],
                use_cache=False,
            ).logits
        finally:
            self._head.question = None
        assert question.answers is not None
        return loss, question.answers


_FOR_MODEL = (
    "input_ids",
    "position_ids",
    "segments",
    "query_bounds",
    "key_bounds",
    "key_tokens",
    "most_queries",
    "most_keys",
)
