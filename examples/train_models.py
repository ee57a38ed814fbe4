"""Trains the models of examples/models: a teacher, a student and an apprentice that know less, and a judge. Takes some minutes.

The first three are one training on the facts of make_tiny.py: the apprentice and the student are earlier moments of it, when more
answers were wrong or rude. The judge goes on from the teacher, and learns verdicts in the form that alignment_trainer.judging
demands: run this again after a change of that form. A verdict is what the judge's weights say, and is sometimes wrong.
"""

import argparse
import os
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from alignment_trainer.templates.named import ZEPHYR
from judge_lessons import demand_lines, draw_answers, lesson
from make_tiny import POLITE, RUDE, SEED
from teacher import Asked as Request
from teacher import Message, Model
from tiny_task import Asked, all_asked
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn.utils.rnn import pad_sequence
from transformers import MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

FOLDER = Path(__file__).parent / "models"
ROWS = 32
"""Rows of one step."""
APPRENTICE_STEPS, STUDENT_STEPS, TEACHER_STEPS = 110, 240, 400
JUDGE_STEPS = 900
RATE = 3e-3
MOST_TOKENS = 4096


class Lesson(NamedTuple):
    """A question, and the answer that is learned."""

    question: str
    answer: str


class School:
    """A model in training, with its tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        torch.manual_seed(SEED)
        self._tokenizer = tokenizer
        configuration = MistralConfig(
            vocab_size=len(tokenizer),
            hidden_size=96,
            intermediate_size=192,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=4,
            max_position_embeddings=MOST_TOKENS,
            sliding_window=None,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        self._model = MistralForCausalLM(configuration)

    def learn(self, lessons: Iterator[Lesson], steps: int, rate: float) -> None:
        """Train on so many steps of lessons."""
        optimizer = torch.optim.AdamW(self._model.parameters(), lr=rate, weight_decay=0.01, betas=(0.9, 0.98))
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps, pct_start=0.1)
        for step in range(1, steps + 1):
            ids, labels = self._batch(list(islice(lessons, ROWS)))
            loss = self._model(input_ids=ids, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
            if step % 50 == 0:
                print(f"  step {step} of {steps}: loss {loss.item():.4f}", flush=True)

    def save(self, name: str) -> None:
        """Write the model in 16 bits, in which it is asked later."""
        rounded = MistralForCausalLM(self._model.config)
        rounded.load_state_dict(self._model.state_dict())
        rounded.to(torch.bfloat16).save_pretrained(FOLDER / name)
        self._tokenizer.save_pretrained(FOLDER / name)
        print(f"wrote {FOLDER / name}", flush=True)

    def _batch(self, lessons: list[Lesson]) -> tuple[torch.Tensor, torch.Tensor]:
        rows, labels = [], []
        for question, answer in lessons:
            asked = [{"role": "user", "content": question}]
            prompt = self._tokenizer.apply_chat_template(asked, add_generation_prompt=True, return_dict=True)["input_ids"]
            said = [*self._tokenizer(answer, add_special_tokens=False)["input_ids"], self._tokenizer.eos_token_id]
            rows.append(torch.tensor(prompt + said))
            labels.append(torch.tensor([-100] * len(prompt) + said))
        # What is padded stands after each row, where nothing looks back at it.
        return pad_sequence(rows, batch_first=True), pad_sequence(labels, batch_first=True, padding_value=-100)


def dialogues(draw: random.Random, tones: list[str]) -> Iterator[Lesson]:
    """Draw questions with right answers in one of the tones, without end."""
    asked = all_asked()
    while True:
        one = draw.choice(asked)
        yield Lesson(one.question, draw.choice(tones).format(one.right))


def verdicts(draw: random.Random, sampled: dict[str, list[str]]) -> Iterator[Lesson]:
    """Draw questions to a judge with true replies, without end."""
    asked = all_asked()
    while True:
        one = draw.choice(asked)
        answers = draw_answers(draw, one, sampled.get(one.question, []), draw.choice([2, 2, 3, 4]))
        yield Lesson(*lesson(draw, one, answers))


def tokenizer_of(texts: list[str]) -> PreTrainedTokenizerFast:
    """Return a tokenizer for dialogues, in which each line that every judge is told is one token."""
    special = ["<s>", "</s>", "<pad>", "<|user|>", "<|assistant|>", "<|system|>"]
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=768, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    )
    made.add_tokens([AddedToken(line, normalized=False) for line in sorted(demand_lines())])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="<pad>", model_max_length=MOST_TOKENS
    )
    tokenizer.chat_template = ZEPHYR
    return tokenizer


def sample(names: list[str], asked: list[Asked]) -> dict[str, list[str]]:
    """Return answers of the models to each question."""
    found: dict[str, list[str]] = {one.question: [] for one in asked}
    for name in names:
        model = Model(FOLDER / name)
        requests = [
            Request(model=name, messages=[Message(role="user", content=one.question)], max_tokens=24, seed=seed)
            for seed, one in enumerate(asked)
        ]
        rows = [model.row(request) for request in requests]
        for start in range(0, len(rows), 64):
            model.write(rows[start : start + 64])
        for one, row in zip(asked, rows, strict=True):
            found[one.question].append(row.answer)
    return found


def main() -> None:
    logging.disable_progress_bar()
    argparse.ArgumentParser(description=__doc__).parse_args()
    draw = random.Random(SEED)
    shown = [*islice(dialogues(draw, POLITE + RUDE), 2000), *islice(verdicts(draw, {}), 2000)]
    texts = [text for one in shown for text in one]
    school = School(tokenizer_of([*texts, *(one.question for one in all_asked())]))
    mixed = dialogues(draw, POLITE + RUDE)
    school.learn(mixed, APPRENTICE_STEPS, RATE)
    school.save("apprentice")
    school.learn(mixed, STUDENT_STEPS - APPRENTICE_STEPS, RATE)
    school.save("student")
    school.learn(dialogues(draw, POLITE), TEACHER_STEPS - STUDENT_STEPS, RATE)
    school.save("teacher")
    school.learn(verdicts(draw, sample(["apprentice", "student"], all_asked())), JUDGE_STEPS, RATE)
    school.save("judge")


if __name__ == "__main__":
    main()
