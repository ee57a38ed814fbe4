"""Fixtures of the preference tests: random pairs, tiny models, and two other ways to compute the same numbers."""

import copy
import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import datasets
import pytest
import torch
from alignment_trainer.preference.losses import Objective
from alignment_trainer.preference.padded import padded_arguments
from alignment_trainer.preference.reference import REFERENCE_COLUMNS
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast, TrainingArguments
from trl import DPOTrainer

TOKENS = 96
SIZES = {
    "vocab_size": TOKENS,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}

Pairs = list[dict[str, Any]]


def random_ids(generator: random.Random, length: int) -> list[int]:
    return [generator.randrange(3, TOKENS) for _ in range(length)]


def pairs_of(*segments: tuple[int, int, int], seed: int = 0) -> Pairs:
    """Make pairs from the lengths of their prompts, chosen and rejected answers."""
    generator = random.Random(seed)
    names = ("prompt_ids", "chosen_ids", "rejected_ids")
    return [{name: random_ids(generator, length) for name, length in zip(names, segment, strict=True)} for segment in segments]


def tiny(family: str, **changes: Any) -> Any:
    """Make a model with all weights random, even those that are initialized to zero."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **{**SIZES, **changes}), dtype=torch.float32)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.1 * torch.randn_like(weight)
    return model.eval()


def alone(model: Any, pairs: Pairs) -> torch.Tensor:
    """Return the log-probability of each answer, from an ordinary forward over its prompt and itself."""
    return torch.stack([torch.stack([_answer(model, pair, name) for name in ("chosen_ids", "rejected_ids")]) for pair in pairs])


def _answer(model: Any, pair: dict[str, Any], name: str) -> torch.Tensor:
    ids = torch.tensor([pair["prompt_ids"] + pair[name]])
    logs = model(input_ids=ids, use_cache=False).logits[0, :-1].log_softmax(dim=-1)
    of_targets = logs.gather(1, ids[0, 1:, None])[:, 0]
    return of_targets[max(len(pair["prompt_ids"]) - 1, 0) :].sum()


def exact(model: Any) -> Any:
    """Return the same model in 64 bit."""
    return copy.deepcopy(model).double()


def with_reference(pairs: Pairs, values: torch.Tensor) -> Pairs:
    return [{**pair, **dict(zip(REFERENCE_COLUMNS, row, strict=True))} for pair, row in zip(pairs, values.tolist(), strict=True)]


def gradients(model: Any, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the gradient of each trained weight."""
    wanted = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    for weight in wanted.values():
        weight.grad = None
    loss.backward()
    return {name: weight.grad.double() for name, weight in wanted.items()}


def farthest(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    """Return the largest relative error of any weight's gradient; tiny gradients are compared with the norm of all."""
    assert found.keys() == expected.keys()
    whole = torch.stack([each.norm() for each in expected.values()]).norm()
    return max(float((found[name] - each).norm() / max(each.norm(), whole / 100)) for name, each in expected.items())


class Padded(DPOTrainer):
    """TRL's trainer on rows that are tokens already and have reference values."""

    def _prepare_dataset(self, dataset: Any, *_: Any, **__: Any) -> Any:
        return dataset

    def _precompute_ref_logps(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def ask(self, pairs: Pairs) -> torch.Tensor:
        """Return the mean loss."""
        return self.compute_loss(self.model, self.data_collator(pairs))


def tokenizer() -> PreTrainedTokenizerFast:
    words = Tokenizer(WordLevel({f"t{token}": token for token in range(TOKENS)}, unk_token="t3"))
    return PreTrainedTokenizerFast(tokenizer_object=words, pad_token="t0", bos_token="t1", eos_token="t2", unk_token="t3")


def arguments(folder: Any, **changes: Any) -> dict[str, Any]:
    """Return the arguments that all tests pass to transformers."""
    quiet = {"use_cpu": True, "report_to": "none", "disable_tqdm": True, "save_strategy": "no", "bf16": False}
    return {"output_dir": str(folder), **quiet, "activation_checkpointing": False, **changes}


class Preference(NamedTuple):
    """The functions above, for tests: test files cannot import each other."""

    pairs_of: Callable[..., Pairs]
    tiny: Callable[..., Any]
    alone: Callable[[Any, Pairs], torch.Tensor]
    exact: Callable[[Any], Any]
    with_reference: Callable[[Pairs, torch.Tensor], Pairs]
    gradients: Callable[[Any, torch.Tensor], dict[str, torch.Tensor]]
    farthest: Callable[[dict[str, torch.Tensor], dict[str, torch.Tensor]], float]
    packed_arguments: Callable[..., TrainingArguments]
    padded: Callable[..., Padded]
    padded_class: type[Padded]
    tokenizer: Callable[[], PreTrainedTokenizerFast]
    arguments: Callable[..., dict[str, Any]]


@pytest.fixture
def preference(tmp_path: Any) -> Preference:
    """Return the functions above."""

    def packed_arguments(**changes: Any) -> TrainingArguments:
        return TrainingArguments(**arguments(tmp_path, **changes))

    def padded(model: Any, objective: Sequence[Any], **changes: Any) -> Padded:
        own = padded_arguments(arguments(tmp_path, **changes), Objective(*objective), max_length=256)
        rows = datasets.Dataset.from_list(with_reference(pairs_of((1, 1, 1)), torch.zeros(1, 2)))
        return Padded(model=model, args=own, train_dataset=rows, processing_class=tokenizer())

    return Preference(
        pairs_of,
        tiny,
        alone,
        exact,
        with_reference,
        gradients,
        farthest,
        packed_arguments,
        padded,
        Padded,
        tokenizer,
        arguments,
    )
