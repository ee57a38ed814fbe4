"""Writes the inputs of tutor-tiny.yaml: an untrained model, lessons, pairs, and questions to measure with.

The settings of the study were chosen on the development questions, which are not written here; the test questions only measure.
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

from make_tiny import POLITE, RUDE, SEED, facts, write_model
from study_rows import Rows, dialogues, pairs, references, write_rows
from tiny_task import Asked, all_asked

GENERAL = 600
CHOICES = 4


def quiz(draw: random.Random, asked: Sequence[Asked]) -> Rows:
    """Return questions with four choices."""
    found: Rows = []
    for one in asked:
        texts = [one.right, *draw.sample(one.wrong, min(CHOICES - 1, len(one.wrong)))]
        draw.shuffle(texts)
        found.append({"question": one.question, "choices": texts, "answer": texts.index(one.right)})
    return found


def write_inputs(folder: Path, asked: Sequence[Asked]) -> None:
    """Write what is taught, and what is measured on other questions."""
    draw = random.Random(SEED)
    asked = draw.sample(asked, len(asked))
    taught, test = ([one for one in asked if one.part == part] for part in ("Training", "Test"))
    short = {question for questions, _ in facts() for question in questions}
    known = [one for one in taught if one.question in short]
    general = dialogues(draw, draw.choices(known, k=GENERAL), POLITE + RUDE)
    mathematics = dialogues(draw, [one for one in taught if " plus " in one.right], POLITE + RUDE)
    science = dialogues(draw, [one for one in taught if " plus " not in one.right], POLITE + RUDE)
    write_model(folder / "model", [*general, *mathematics, *science])
    write_rows(
        folder,
        general=general,
        mathematics=mathematics,
        science=science,
        preferences=pairs(draw, taught),
        quiz=quiz(draw, test),
        answers=references(test),
        pairs=pairs(draw, test),
        held_out=dialogues(draw, test, POLITE),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True, help="root of the workspace volume")
    folder = parser.parse_args().workspace / "inputs" / "tutor-tiny"
    folder.mkdir(parents=True, exist_ok=True)
    write_inputs(folder, all_asked())
    print(f"wrote {folder}")


if __name__ == "__main__":
    main()
