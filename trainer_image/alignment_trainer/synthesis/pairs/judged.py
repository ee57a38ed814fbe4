"""Keeps every judged answer of a stage, also those of prompts without a pair, as rows in the form of UltraFeedback."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from alignment_api.files import without_torn_line
from pydantic.alias_generators import to_pascal, to_snake

from alignment_trainer.endpoints.question import Message
from alignment_trainer.forms.pairs.judged import Scored
from alignment_trainer.forms.pairs.rated import NOT_RATED
from alignment_trainer.judging.aspects import OVERALL, Judged, Score

JUDGED_FILE = "judged.jsonl"
"""A later stage can read it as `judged`, and make other pairs of the same answers without asking anyone."""


class Given(NamedTuple):
    """An answer as a model of the ensemble gave it."""

    model: str
    base_url: str | None
    """The address of its server; None for a model of the job."""
    text: str
    finish: str
    sample: int
    """Which answer of the prompt it is."""
    seed: int
    principle: str | None


class JudgedPrompt(NamedTuple):
    """A prompt, its answers, and what the judge says about them in the same order."""

    key: str
    messages: Sequence[Message]
    given: Sequence[Given]
    judged: Judged

    def scored(self) -> list[Scored]:
        """Return the answers with the ratings that the judge gave."""
        return [_scored(answer, scores) for answer, scores in zip(self.given, self.judged.scores, strict=True)]


class JudgedFile:
    """The file of one stage; a prompt that two attempts judged counts once."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / JUDGED_FILE
        without_torn_line(self._path)
        self._file = self._path.open("a", encoding="utf-8")

    def add(self, prompt: JudgedPrompt) -> None:
        """Write down a judged prompt."""
        self._file.write(json.dumps(_row(prompt), ensure_ascii=False) + "\n")
        self._file.flush()

    def read(self) -> Iterator[JudgedPrompt]:
        """Yield each prompt as it was judged last."""
        with self._path.open(encoding="utf-8") as file:
            left = Counter(json.loads(line)["key"] for line in file)
        with self._path.open(encoding="utf-8") as file:
            for row in map(json.loads, file):
                left[row["key"]] -= 1
                if not left[row["key"]]:
                    yield _prompt(row)


def _scored(answer: Given, scores: Mapping[str, Score]) -> Scored:
    ratings = {aspect: float(score.rating) for aspect, score in scores.items() if score.rating is not None}
    overall = ratings.pop(OVERALL, None)
    about = {
        "baseUrl": answer.base_url,
        "sample": answer.sample,
        "seed": answer.seed,
        "principle": answer.principle,
        "finish": answer.finish,
        "positions": {aspect: score.position for aspect, score in scores.items()},
    }
    missing = {aspect: score.missing for aspect, score in scores.items() if score.missing}
    return Scored(answer.model, answer.text, ratings, overall, about, missing)


def _row(prompt: JudgedPrompt) -> dict[str, Any]:
    return {
        "key": prompt.key,
        "prompt": list(prompt.messages),
        "instruction": prompt.messages[-1]["content"],
        "completions": [_completion(*each) for each in zip(prompt.given, prompt.judged.scores, strict=True)],
        "failures": dict(prompt.judged.failures),
        "repairs": prompt.judged.repairs,
    }


def _completion(answer: Given, scores: Mapping[str, Score]) -> dict[str, Any]:
    others = {name: value for name, value in answer._asdict().items() if name != "text"}
    return {
        **others,
        "response": answer.text,
        "annotations": {to_snake(aspect): _annotation(score) for aspect, score in scores.items()},
    }


def _annotation(score: Score) -> dict[str, Any]:
    return {
        "Rating": NOT_RATED if score.rating is None else str(score.rating),
        "Type": score.type,
        "Rationale": score.rationale,
        "Missing": score.missing,
        "Position": score.position,
    }


def _prompt(row: dict[str, Any]) -> JudgedPrompt:
    given = [
        Given(text=one["response"], **{name: one[name] for name in Given._fields if name != "text"}) for one in row["completions"]
    ]
    scores = [
        {to_pascal(aspect): _score(annotation) for aspect, annotation in one["annotations"].items()} for one in row["completions"]
    ]
    return JudgedPrompt(row["key"], row["prompt"], given, Judged(tuple(scores), row["failures"], row["repairs"]))


def _score(annotation: dict[str, Any]) -> Score:
    rating = None if annotation["Rating"] == NOT_RATED else int(annotation["Rating"])
    return Score(rating, annotation["Missing"], annotation["Type"], annotation["Rationale"], annotation["Position"])
