"""Asks the policy the job's prompts at each evaluation and at the end, without any effect on training."""

import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from alignment_api.run_config import RunConfig
from alignment_api.spec.lineage import parent_of
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from alignment_trainer.asking.answering import greedy_answers
from alignment_trainer.asking.drawing import job_prompts
from alignment_trainer.asking.prompts import Prompt
from alignment_trainer.asking.rendering import Rendered, rendered
from alignment_trainer.data.chat import end_ids
from alignment_trainer.reading.visible import in_one_line
from alignment_trainer.settings.training import Settings
from alignment_trainer.workspace.samples import Sample, Samples


def ask_policy(config: RunConfig, settings: Settings, tokenizer: Any) -> list[TrainerCallback]:
    """Return what asks the policy the prompts that the first process finds; nothing if there are none."""
    samples: Samples | None = None
    shared: list[tuple[list[Rendered], set[int]]] = [([], set())]
    if PartialState().is_main_process:
        prompts = list(_renderable(job_prompts(config, tokenizer), settings, tokenizer))
        samples = Samples(Path(config.paths.stage)) if prompts else None
        shared = [(prompts, samples.steps if samples else set())]
    broadcast_object_list(shared)
    prompts, answered = shared[0]
    starts_from_base = parent_of(config.spec, config.stage) is None
    return [AskPolicy(prompts, tokenizer, samples, answered, starts_from_base)] if prompts else []


def _renderable(prompts: list[Prompt], settings: Settings, tokenizer: Any) -> Iterator[Rendered]:
    for each in rendered(prompts, tokenizer, settings.max_length):
        if isinstance(each, Rendered):
            yield each
        else:
            skipped = f"{settings.path}: prompt {each.prompt.key} of stage {each.prompt.stage!r} is not asked here"
            print(f"{skipped}: {in_one_line(each.reason)}", file=sys.stderr, flush=True)


class AskPolicy(TrainerCallback):  # type: ignore[misc]
    """Asks on all processes, because with sharding each forward needs all of them; only the first one writes the samples."""

    def __init__(
        self, prompts: list[Rendered], tokenizer: Any, samples: Samples | None, answered: Collection[int], starts_from_base: bool
    ) -> None:
        self._prompts = prompts
        self._tokenizer = tokenizer
        self._padding, self._ends = tokenizer.pad_token_id, end_ids(tokenizer)
        self._samples = samples
        self._answered = set(answered)
        self._starts_from_base = starts_from_base

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **now: Any) -> None:
        """Ask where the loss of held-out rows is measured too; before the first step only the base model.

        What a later stage starts from was asked at the end of the stage before.
        """
        if state.global_step or self._starts_from_base:
            self._ask(args, state, now["model"])

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **now: Any) -> None:
        """Ask at the end, before the last checkpoint is whole: an attempt that finds it does not train any more."""
        if state.global_step >= state.max_steps:
            self._ask(args, state, now["model"])

    def _ask(self, args: TrainingArguments, state: TrainerState, model: Any) -> None:
        step = state.global_step
        if step in self._answered:
            return
        self._answered.add(step)
        with torch.autocast(args.device.type, torch.bfloat16, enabled=args.bf16):
            made = greedy_answers(model, [prompt.ids for prompt in self._prompts], self._padding, self._ends, args.device)
        if args.device.type == "cuda":
            # The peak of memory that is reported is training's.
            torch.cuda.reset_peak_memory_stats(args.device)
        if self._samples:
            self._samples.append([self._sample(step, *pair) for pair in zip(self._prompts, made, strict=True)])

    def _sample(self, step: int, asked: Rendered, made: list[int]) -> Sample:
        policy = str(self._tokenizer.decode(made, skip_special_tokens=True)).strip()
        return Sample(step=step, key=asked.prompt.key, policy=policy, **asked.prompt.texts)
