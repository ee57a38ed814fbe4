"""Which models can run packed pairs, and the forward that runs them."""

from typing import Any

import torch
from alignment_api.memory.shape import PACKED_FAMILIES

from alignment_trainer.preference.attention import NAME
from alignment_trainer.preference.head import AnswerHead, Losses, Question
from alignment_trainer.training.measurements import AnswerSums


def unfit(configuration: Any, max_length: int) -> str | None:
    """Return why a model cannot take packed pairs; None where it can."""
    if configuration.model_type not in PACKED_FAMILIES:
        return f"packing has not been shown to give the same numbers for models of the family {configuration.model_type}"
    if getattr(configuration, "use_bidirectional_attention", False):
        return "its attention is bidirectional"
    window = getattr(configuration, "sliding_window", None) if getattr(configuration, "use_sliding_window", True) else None
    if window and window < max_length:
        return f"its sliding window is {window} tokens, and maxLength is {max_length}"
    angles = getattr(configuration, "rope_parameters", None) or {}
    if angles.get("rope_type") == "longrope" and max_length > angles["original_max_position_embeddings"]:
        known = angles["original_max_position_embeddings"]
        return f"it changes its rotary embedding for texts of more than {known} tokens, and maxLength is {max_length}"
    return None


def disable_dropout(model: Any) -> None:
    """Turn dropout off, so that policy and reference are computed in the same way."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        # Elsewhere a number; in BLOOM a Dropout module of that name, handled above.
        if isinstance(getattr(module, "attention_dropout", None), int | float):
            module.attention_dropout = 0.0


class PairModel:
    """The forward of a model over packed pairs."""

    def __init__(self, model: Any) -> None:
        model.set_attn_implementation(NAME)
        self._head = AnswerHead(model.get_output_embeddings())

    def ask(self, model: Any, inputs: dict[str, Any], losses: Losses | None) -> tuple[torch.Tensor, AnswerSums]:
        """Return the mean loss over pairs and the measurements; without `losses`, log-probabilities alone."""
        known = {name: value for name, value in inputs.items() if name in _FOR_MODEL}
        self._head.question = question = Question(inputs["targets"], inputs["counts"], losses)
        try:
            # transformers passes a 4-dimensional mask on unchanged; the segments decide which tokens attend to which.
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
