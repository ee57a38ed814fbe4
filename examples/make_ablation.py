"""Writes the inputs of ablation-tiny.yaml: an untrained model, dialogues in two tones, pairs that prefer one, and what measures.

The settings of the study were chosen on the development questions; the test questions had no part in that.
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

from make_tiny import POLITE, RUDE, SEED, write_model
from study_rows import dialogues, pairs, references, write_rows
from tiny_task import Asked, all_asked

DIALOGUES = 7200
PAIRS = 1040


def write_inputs(folder: Path, asked: Sequence[Asked]) -> None:
    """Write what is trained on, and what is measured on other questions."""
    draw = random.Random(SEED)
    learned, development, test = ([one for one in asked if one.part == part] for part in ("Training", "Development", "Test"))
    sft = dialogues(draw, draw.choices(learned, k=DIALOGUES), POLITE + RUDE)
    write_rows(
        folder,
        sft=sft,
        preferences=pairs(draw, draw.choices(learned, k=PAIRS)),
        development_references=references(development),
        test_references=references(test),
        test_preferences=pairs(draw, test),
    )
    write_model(folder / "model", sft)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True, help="root of the workspace volume")
    folder = parser.parse_args().workspace / "inputs" / "ablation"
    folder.mkdir(parents=True, exist_ok=True)
    write_inputs(folder, all_asked())
    print(f"wrote {folder}")


if __name__ == "__main__":
    main()
