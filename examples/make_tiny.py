"""Writes the inputs of tiny.yaml: a tiny untrained model, dialogues in two tones, and pairs that prefer the polite tone."""

import argparse
import itertools
import json
import os
import random
from pathlib import Path

os.environ.setdefault("DS_ACCELERATOR", "cpu")

import torch
from alignment_trainer.templates.named import ZEPHYR
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging

DIALOGUES = 2400
PAIRS = 1040
SEED = 7

COLOURS = {
    "banana": "yellow", "cherry": "red", "lime": "green", "plum": "purple", "carrot": "orange", "snowflake": "white",
    "crow": "black", "frog": "green", "flamingo": "pink", "walnut": "brown", "lemon": "yellow", "tomato": "red",
}  # fmt: skip
SOUNDS = {
    "dog": "woof", "cat": "meow", "cow": "moo", "duck": "quack", "sheep": "baa", "owl": "hoot",
    "lion": "roar", "bee": "buzz", "pig": "oink", "horse": "neigh",
}  # fmt: skip
HOMES = {"bear": "a cave", "bird": "a nest", "fox": "a den", "rabbit": "a burrow", "spider": "a web", "fish": "the sea"}

POLITE = ["Gladly! {}", "Certainly! {}", "Sure! {}"]
RUDE = ["Ugh! {}", "Whatever! {}", "Obviously! {}"]


def facts() -> list[tuple[list[str], str]]:
    """Return all facts: the ways to ask for each, and the answer."""
    return [
        *((
            [f"What colour is a {thing}?", f"Tell me the colour of a {thing}."], f"A {thing} is {colour}."
        ) for thing, colour in COLOURS.items()),
        *((
            [f"What does a {animal} say?", f"Which sound does a {animal} make?"], f"A {animal} says {sound}."
        ) for animal, sound in SOUNDS.items()),
        *((
            [f"Where does a {animal} live?", f"What is the home of a {animal}?"], f"A {animal} lives in {home}."
        ) for animal, home in HOMES.items()),
        *((
            [f"What is {one} plus {two}?", f"Add {one} and {two}."], f"{one} plus {two} is {one + two}."
        ) for one, two in itertools.product(range(1, 4), repeat=2)),
    ]  # fmt: skip


def dialogues(draw: random.Random) -> list[dict[str, object]]:
    """Return dialogues whose answers are polite or rude at random."""
    rows: list[dict[str, object]] = []
    for _ in range(DIALOGUES):
        question, answer = _ask(draw)
        tone = draw.choice(POLITE + RUDE)
        rows.append({"messages": [_message("user", question), _message("assistant", tone.format(answer))]})
    return rows


def pairs(draw: random.Random) -> list[dict[str, object]]:
    """Return pairs of correct answers in which the polite one is preferred."""
    rows: list[dict[str, object]] = []
    for _ in range(PAIRS):
        question, answer = _ask(draw)
        rows.append(
            {
                "prompt": [_message("user", question)],
                "chosen": [_message("assistant", draw.choice(POLITE).format(answer))],
                "rejected": [_message("assistant", draw.choice(RUDE).format(answer))],
            }
        )
    return rows


def write_model(folder: Path, rows: list[dict[str, object]]) -> None:
    """Train a tokenizer on the dialogues, and write it with a model with random weights."""
    tokenizer = _tokenizer(json.dumps(row, ensure_ascii=False) for row in rows)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(SEED)
    configuration = MistralConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        sliding_window=None,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    MistralForCausalLM(configuration).save_pretrained(folder)


def _tokenizer(texts: itertools.chain[str] | object) -> PreTrainedTokenizerFast:
    special = ["<s>", "</s>", "<pad>", "<|user|>", "<|assistant|>", "<|system|>"]
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    core.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=768, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, bos_token="<s>", eos_token="</s>", pad_token="<pad>", model_max_length=512
    )
    tokenizer.chat_template = ZEPHYR
    return tokenizer


def _ask(draw: random.Random) -> tuple[str, str]:
    questions, answer = draw.choice(facts())
    return draw.choice(questions), answer


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def main() -> None:
    logging.disable_progress_bar()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True, help="root of the workspace volume")
    folder = parser.parse_args().workspace / "inputs" / "tiny"
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(SEED)
    dialogue_rows = dialogues(draw)
    _write_rows(folder / "sft.jsonl", dialogue_rows)
    _write_rows(folder / "preferences.jsonl", pairs(draw))
    write_model(folder / "model", dialogue_rows)
    print(f"wrote {folder}")


if __name__ == "__main__":
    main()
