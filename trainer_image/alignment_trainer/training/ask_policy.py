"""Asks the policy a few held-out prompts at each evaluation, without any effect on training."""

from typing import Any, NamedTuple

import torch
from transformers import GenerationConfig, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from alignment_trainer.data.tokens import IGNORED
from alignment_trainer.workspace.samples import Sample, Samples

NEW_TOKENS = 128
"""Maximum length of an answer: enough to see how it begins."""


class Prompt(NamedTuple):
    """A prompt and the held-out row's answers to it, as tokens."""

    ids: list[int]
    answers: dict[str, list[int]]


class AskPolicy(TrainerCallback):  # type: ignore[misc]
    """Generates at each evaluation; only the first process writes the samples."""

    def __init__(self, prompts: list[Prompt], tokenizer: Any, ends: list[int], samples: Samples | None) -> None:
        self._prompts = prompts
        self._tokenizer = tokenizer
        self._ends = ends
        self._samples = samples

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any, **_: Any) -> None:
        """Ask on all processes, because with sharding each forward needs all of them."""
        with (
            torch.random.fork_rng(devices=[args.device] if args.device.type == "cuda" else []),
            torch.no_grad(),
            torch.autocast(args.device.type, torch.bfloat16, enabled=args.bf16),
        ):
            made = self._generate(model, args.device)
        if self._samples:
            self._samples.append([self._sample(state.global_step, *pair) for pair in zip(self._prompts, made, strict=True)])

    def _generate(self, model: Any, device: torch.device) -> list[list[int]]:
        longest = max(len(prompt.ids) for prompt in self._prompts)
        padding = self._tokenizer.pad_token_id
        ids = [[padding] * (longest - len(prompt.ids)) + prompt.ids for prompt in self._prompts]
        mask = [[0] * (longest - len(prompt.ids)) + [1] * len(prompt.ids) for prompt in self._prompts]
        model.eval()
        # A mixture of experts may compute a load-balancing loss, which needs a mask for every token of a step: off here.
        balanced = {"output_router_logits": False} if getattr(model.config, "output_router_logits", False) else {}
        room = getattr(model.config.get_text_config(), "max_position_embeddings", None) or longest + NEW_TOKENS
        made = model.generate(
            input_ids=torch.tensor(ids, device=device),
            attention_mask=torch.tensor(mask, device=device),
            generation_config=GenerationConfig(
                do_sample=False,
                max_new_tokens=max(1, min(NEW_TOKENS, room - longest)),
                eos_token_id=self._ends,
                pad_token_id=padding,
            ),
            **balanced,
        )
        answers: list[list[int]] = made[:, longest:].tolist()
        return answers

    def _sample(self, step: int, prompt: Prompt, made: list[int]) -> Sample:
        answers = {name: self._text(ids) for name, ids in prompt.answers.items()}
        return Sample(step=step, prompt=self._text(prompt.ids), policy=self._text(made), **answers)

    def _text(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=True)).strip()


def prompt_of(row: dict[str, list[int]]) -> Prompt | None:
    """Split a row into prompt and answers; return None where the row has no prompt."""
    if "prompt_ids" in row:
        if not row["prompt_ids"]:
            return None
        return Prompt(row["prompt_ids"], {"chosen": row["chosen_ids"], "rejected": row["rejected_ids"]})
    learned = [label != IGNORED for label in row["labels"]]
    start = learned.index(True)
    end = learned.index(False, start) if False in learned[start:] else len(learned)
    return Prompt(row["input_ids"][:start], {"reference": row["input_ids"][start:end]}) if start else None
