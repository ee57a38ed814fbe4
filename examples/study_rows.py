"""The rows of the studies, ablation-tiny.yaml and tutor-tiny.yaml: dialogues, pairs and references, made of the small task."""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from make_tiny import POLITE, RUDE
from tiny_task import Asked

Rows = list[dict[str, Any]]

_FAULTS = [(True, False), (False, True), (True, True)]
"""Whether a rejected answer is rude, and whether it is wrong."""


def dialogues(draw: random.Random, asked: Iterable[Asked], tones: list[str]) -> Rows:
    """Return questions with right answers, each in one of the tones."""
    return [
        {"messages": [_said("user", one.question), _said("assistant", draw.choice(tones).format(one.right))]} for one in asked
    ]


def pairs(draw: random.Random, asked: Iterable[Asked]) -> Rows:
    """Return pairs in which a right and polite answer is preferred to one that is rude, wrong, or both: a third of each.

    If all rejected answers were right and rude, both answers of a pair would say the same, and DPO would soon gain more by making
    that unlikely after a rude word, and with it after a polite one, than by being polite.
    """
    return [
        {
            "prompt": [_said("user", one.question)],
            "chosen": [_said("assistant", draw.choice(POLITE).format(one.right))],
            "rejected": [_said("assistant", _worse(draw, one, *_FAULTS[number % len(_FAULTS)]))],
        }
        for number, one in enumerate(asked)
    ]


def references(asked: Iterable[Asked]) -> Rows:
    """Return questions with all answers that are right and polite."""
    return [{"prompt": one.question, "references": [tone.format(one.right) for tone in POLITE]} for one in asked]


def write_rows(folder: Path, **rows_of: Rows) -> None:
    """Write each list of rows into a file of its name."""
    for name, rows in rows_of.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name.replace('_', '-')}.jsonl").write_text(text, encoding="utf-8")


def _worse(draw: random.Random, one: Asked, is_rude: bool, is_wrong: bool) -> str:
    return draw.choice(RUDE if is_rude else POLITE).format(draw.choice(one.wrong) if is_wrong else one.right)


def _said(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}
