"""Writes the inputs of tutor-tiny.yaml beside those of make_tiny.py: lessons, pairs, and questions to measure with."""

import argparse
import json
import random
from collections.abc import Iterable
from pathlib import Path

from make_tiny import POLITE, RUDE, SEED
from tiny_task import Asked, all_asked

CHOICES = 4

Rows = Iterable[dict[str, object]]


def lessons(draw: random.Random, asked: list[Asked]) -> Rows:
    """Yield dialogues with right answers in a polite tone."""
    for one in asked:
        yield {"messages": [_said("user", one.question), _said("assistant", draw.choice(POLITE).format(one.right))]}


def pairs(draw: random.Random, asked: list[Asked]) -> Rows:
    """Yield pairs in which a right and polite answer is preferred to a rude or a wrong one."""
    for one in asked:
        worse = draw.choice(RUDE).format(draw.choice([one.right, *one.wrong[:1]]))
        yield {
            "prompt": [_said("user", one.question)],
            "chosen": [_said("assistant", draw.choice(POLITE).format(one.right))],
            "rejected": [_said("assistant", worse)],
        }


def quiz(draw: random.Random, asked: list[Asked]) -> Rows:
    """Yield questions with four choices."""
    for one in asked:
        texts = [one.right, *draw.sample(one.wrong, min(CHOICES - 1, len(one.wrong)))]
        draw.shuffle(texts)
        yield {"question": one.question, "choices": texts, "answer": texts.index(one.right)}


def references(asked: list[Asked]) -> Rows:
    """Yield questions with every polite answer."""
    for one in asked:
        yield {"question": one.question, "references": [tone.format(one.right) for tone in POLITE]}


def _said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _write(file: Path, rows: Rows) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True, help="root of the workspace volume")
    folder = parser.parse_args().workspace / "inputs" / "tutor-tiny"
    folder.mkdir(parents=True, exist_ok=True)
    draw = random.Random(SEED)
    asked = all_asked()
    draw.shuffle(asked)
    taught, held_out = [one for one in asked if not one.is_held_out], [one for one in asked if one.is_held_out]
    _write(folder / "mathematics.jsonl", lessons(draw, [one for one in taught if " plus " in one.right]))
    _write(folder / "science.jsonl", lessons(draw, [one for one in taught if " plus " not in one.right]))
    _write(folder / "preferences.jsonl", pairs(draw, taught))
    _write(folder / "quiz.jsonl", quiz(draw, held_out))
    _write(folder / "answers.jsonl", references(held_out))
    _write(folder / "held-out.jsonl", lessons(draw, held_out))
    print(f"wrote {folder}")


if __name__ == "__main__":
    main()
