"""Writes the pairs of a round: the teacher's answers against those of the student that the round starts from."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from alignment_api.files import write_whole

from alignment_trainer.endpoints.question import Answer, Unanswered
from alignment_trainer.failures import TooFewRows, UnusableAnswers
from alignment_trainer.settings.dpo_distillation import DpoDistillationSettings
from alignment_trainer.synthesis.drawing import drawn_seed
from alignment_trainer.synthesis.provenance import who
from alignment_trainer.synthesis.rounds.lessons import Lesson
from alignment_trainer.synthesis.rounds.pairs import Dropped, PairPolicy, pair_of, row_of
from alignment_trainer.synthesis.rounds.round_config import Round
from alignment_trainer.synthesis.student import Asked

_REPORT_FILE = "pairs.json"

Fits = Callable[[dict[str, Any]], bool]
"""Returns whether a pair is learned whole, with the ends of both answers."""


def asked_of(lessons: Iterable[Lesson], number: int, seed: int) -> list[Asked]:
    """Return what the student is asked in a round; each round draws anew."""
    return [Asked(lesson.key, lesson.messages, drawn_seed(seed, "student", number, lesson.key)) for lesson in lessons]


def write_pairs(
    one: Round,
    settings: DpoDistillationSettings,
    contrasts: Iterable[tuple[Lesson, Answer | Unanswered]],
    policy: PairPolicy,
    fits: Fits,
    held_out: Path | None,
) -> None:
    """Write the pairs, those of held-out questions to a file of their own, then the counts: with them the pairs are complete."""
    counts: Counter[str] = Counter()
    provenance = _provenance(one, settings)
    rows = list(_rows(contrasts, provenance, policy, fits, counts))
    if held_out:
        write_whole(held_out, "".join(_line(row) for lesson, row in rows if lesson.is_held_out))
    learned = [_line(row) for lesson, row in rows if not lesson.is_held_out]
    _check_failed(counts, settings, one.number)
    write_whole(one.pairs, "".join(learned))
    report = {"round": one.number, "sampledWeights": one.student.weights, "pairs": len(learned), "counts": dict(counts)}
    write_whole(one.folder / _REPORT_FILE, json.dumps(report, indent=1))


def report_of(one: Round) -> dict[str, Any] | None:
    """Return the counts of a round; None until its pairs are complete."""
    path = one.folder / _REPORT_FILE
    found: dict[str, Any] | None = json.loads(path.read_text()) if path.exists() else None
    return found


def no_pairs(report: dict[str, Any], settings: DpoDistillationSettings) -> UnusableAnswers:
    """Return the failure of a stage whose first round has no pair."""
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted(report["counts"].items()))
    return UnusableAnswers(
        f"{settings.path}: no question gives a pair ({counts}); look at the student's answers in rounds/1 of the stage's folder"
    )


def _provenance(one: Round, settings: DpoDistillationSettings) -> dict[str, Any]:
    """Return whose answers a round compares."""
    served = {"student": who(settings.student)} if settings.student else {}
    return {"teacher": who(settings.teacher), **served, "round": one.number, "studentWeights": one.student.weights}


def _rows(
    contrasts: Iterable[tuple[Lesson, Answer | Unanswered]],
    provenance: dict[str, Any],
    policy: PairPolicy,
    fits: Fits,
    counts: Counter[str],
) -> Iterator[tuple[Lesson, dict[str, Any]]]:
    for lesson, said in contrasts:
        counts["asked"] += 1
        found = pair_of(lesson.messages, lesson.answer, said, policy)
        if isinstance(found, Dropped):
            counts[found.reason] += 1
            continue
        row = row_of(lesson.messages, found, {"key": lesson.key, **provenance})
        if not fits(row):
            counts["tooLong"] += 1
            continue
        counts.update(found.remarks)
        yield lesson, row


def _check_failed(counts: Counter[str], settings: DpoDistillationSettings, number: int) -> None:
    failed, asked = counts["studentUnanswered"], counts["asked"]
    if failed > settings.maximum_failed_share * asked:
        # What the stage samples itself would be the same again.
        failure = TooFewRows if settings.student else UnusableAnswers
        raise failure(
            f"{settings.path}: the student has no answer to {failed} of {asked} questions in round {number}, more than "
            f"maximumFailedShare {settings.maximum_failed_share:g}; these are too long for it, or its server did not answer"
        )


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"
