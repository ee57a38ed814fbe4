"""Writes the inputs of ablation-tiny.yaml: an untrained model, dialogues in two tones, pairs that prefer one, held-out rows."""

import argparse
import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from make_tiny import POLITE, RUDE, SEED, write_model
from tiny_task import Asked, all_asked

DIALOGUES = 7200
PAIRS = 1040


def dialogue(asked: Asked, tone: str) -> dict[str, Any]:
    """Return a question with its right answer in a tone."""
    return {"messages": [_message("user", asked.question), _message("assistant", tone.format(asked.right))]}


def pair(draw: random.Random, asked: Asked) -> dict[str, Any]:
    """Return a question with two right answers, of which the polite one is preferred."""
    return {
        "prompt": [_message("user", asked.question)],
        "chosen": [_message("assistant", draw.choice(POLITE).format(asked.right))],
        "rejected": [_message("assistant", draw.choice(RUDE).format(asked.right))],
    }


def referenced(asked: Asked) -> dict[str, Any]:
    """Return a question with all answers that are right and polite."""
    return {"prompt": asked.question, "references": [tone.format(asked.right) for tone in POLITE]}


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _write(file: Path, rows: Iterable[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_inputs(folder: Path, learned: Sequence[Asked], held_out: Sequence[Asked]) -> None:
    """Write what is trained on, and what is measured on other questions."""
    draw = random.Random(SEED)
    dialogues = [dialogue(draw.choice(learned), draw.choice(POLITE + RUDE)) for _ in range(DIALOGUES)]
    _write(folder / "sft.jsonl", dialogues)
    _write(folder / "preferences.jsonl", (pair(draw, draw.choice(learned)) for _ in range(PAIRS)))
    _write(folder / "held-out-preferences.jsonl", (pair(draw, asked) for asked in held_out))
    _write(folder / "held-out-references.jsonl", (referenced(asked) for asked in held_out))
    write_model(folder / "model", list(dialogues))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True, help="root of the workspace volume")
    folder = parser.parse_args().workspace / "inputs" / "ablation"
    folder.mkdir(parents=True, exist_ok=True)
    asked = all_asked()
    write_inputs(folder, [one for one in asked if not one.is_held_out], [one for one in asked if one.is_held_out])
    print(f"wrote {folder}")


if __name__ == "__main__":
    main()
