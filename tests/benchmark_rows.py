"""Made-up rows of the official benchmarks, in the columns of the Hub's rows, and folders of them."""

import json
import random
from pathlib import Path
from typing import Any

from alignment_trainer.official_tasks.members import benchmark_of

Rows = list[dict[str, Any]]
_WORDS = (
    "river",
    "stone",
    "apple",
    "cloud",
    "green",
    "winter",
    "table",
    "song",
    "iron",
    "bird",
    "light",
    "paper",
    "garden",
    "tower",
    "salt",
)


def arc(count: int, draw: random.Random) -> Rows:
    """Return rows of ARC."""
    return [
        {
            "id": f"made-{number}",
            "question": f"Which is {_phrase(draw)}?",
            "choices": {"text": [_phrase(draw, 2) for _ in range(4)], "label": list("ABCD")},
            "answerKey": draw.choice("ABCD"),
        }
        for number in range(count)
    ]


def hellaswag(count: int, draw: random.Random) -> Rows:
    """Return rows of HellaSwag; its label is a text."""
    return [
        {
            "ind": number,
            "activity_label": "Cooking",
            "ctx_a": f"A man holds {_phrase(draw)}.",
            "ctx_b": f"he {draw.choice(_WORDS)}",
            "endings": [f"sees [title] {_phrase(draw, 2)}  [step] now." for _ in range(4)],
            "label": str(draw.randrange(4)),
        }
        for number in range(count)
    ]


def truthfulqa(count: int, draw: random.Random) -> Rows:
    """Return rows of TruthfulQA's multiple choice."""
    return [
        {
            "question": f"Is {_phrase(draw)}?",
            "mc1_targets": {"choices": draw.sample(_WORDS, 4), "labels": [1, 0, 0, 0]},
            "mc2_targets": {"choices": draw.sample(_WORDS, 5), "labels": [1, 1, 0, 0, 0]},
        }
        for _ in range(count)
    ]


def winogrande(count: int, draw: random.Random) -> Rows:
    """Return rows of Winogrande."""
    return [
        {
            "sentence": f"The {draw.choice(_WORDS)} met the {draw.choice(_WORDS)} because the _ was {draw.choice(_WORDS)}.",
            "option1": draw.choice(_WORDS),
            "option2": f"{draw.choice(_WORDS)}s",
            "answer": str(draw.randrange(1, 3)),
        }
        for _ in range(count)
    ]


def gsm8k(count: int, draw: random.Random) -> Rows:
    """Return rows of GSM8K."""
    return [
        {
            "question": f"{_phrase(draw)} has {number} and {number}. How many?",
            "answer": f"It is {number}+{number}=<<{number}+{number}={2 * number}>>{2 * number}.\n#### {2 * number}",
        }
        for number in range(1, count + 1)
    ]


def mmlu(count: int, draw: random.Random) -> Rows:
    """Return rows of one subject of MMLU; its answer is a number."""
    return [
        {"question": f" Which {_phrase(draw)}? ", "choices": draw.sample(_WORDS, 4), "answer": draw.randrange(4)}
        for _ in range(count)
    ]


def wikitext(count: int, draw: random.Random) -> Rows:
    """Return documents of WikiText."""
    return [
        {"page": f" = Title {number} = \n\n {' '.join(draw.choices(_WORDS, k=60))} , it 's @-@ done . \n"}
        for number in range(count)
    ]


_TASKS = {
    "arc_challenge": (arc, {"train": 30, "test": 24}),
    "hellaswag": (hellaswag, {"train": 12, "validation": 8}),
    "truthfulqa_mc2": (truthfulqa, {"validation": 6}),
    "winogrande": (winogrande, {"train": 7, "validation": 8}),
    "gsm8k": (gsm8k, {"train": 6, "test": 4}),
    "wikitext": (wikitext, {"test": 7}),
}


def write_benchmark(folder: Path, name: str, times: int = 1) -> Path:
    """Write the files of a task; `times` as many rows are measured."""
    made, splits = _TASKS.get(name, (mmlu, {"dev": 5, "test": 2}))
    draw = random.Random(name)
    folder.mkdir(parents=True)
    for split, count in splits.items():
        rows = made(count if split in ("train", "dev") else times * count, draw)
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def write_group(folder: Path, name: str) -> Path:
    """Write a folder for each task of a group."""
    for task in benchmark_of(name).tasks:
        write_benchmark(folder / task.name, task.name)
    return folder


def _phrase(draw: random.Random, words: int = 4) -> str:
    return " ".join(draw.sample(_WORDS, words))
