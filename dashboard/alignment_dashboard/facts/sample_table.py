"""Samples as tables: the list beside the page, and the files that people download."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from alignment_dashboard.facts.samples import DATA, Output, Sample
from alignment_dashboard.text import in_one_line

PROMPT_LENGTH = 80


def listed(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Return one row for each sample: the beginning of its prompt, how much its answers changed, and their length."""
    return [
        {
            "Prompt": in_one_line(sample.prompt, PROMPT_LENGTH),
            "Changed": None if sample.changed is None else round(100 * sample.changed),
            "Words": sample.words,
        }
        for sample in samples
    ]


def write_csv(outputs: Sequence[Output], samples: Sequence[Sample]) -> bytes:
    """Write the samples as CSV, with one column for each output and each answer of the data."""
    rows = _rows(outputs, samples)
    file = io.StringIO()
    writer = csv.DictWriter(file, ["key", "prompt", *(output.label for output in outputs), *DATA])
    writer.writeheader()
    writer.writerows(rows)
    return _encoded(file.getvalue())


def write_json_lines(outputs: Sequence[Output], samples: Sequence[Sample]) -> bytes:
    """Write the samples as one JSON object in each line."""
    return _encoded("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in _rows(outputs, samples)))


def _rows(outputs: Sequence[Output], samples: Sequence[Sample]) -> list[dict[str, str | None]]:
    labels = [output.label for output in outputs]
    return [
        {"key": sample.key, "prompt": sample.prompt} | dict(zip(labels, sample.answers, strict=True)) | dict(sample.data)
        for sample in samples
    ]


def _encoded(text: str) -> bytes:
    # A model can write half of a surrogate pair, which UTF-8 cannot say; JSON reads this escape as the same half.
    return text.encode("utf-8", errors="backslashreplace")
