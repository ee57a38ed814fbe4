"""What a round left: its student, its counts and its verdicts; and what of it the stage's journal says."""

import json
import shutil
from collections.abc import Sequence
from typing import Any, NamedTuple

from alignment_api import metrics
from alignment_api.names import CHECKPOINTS_FOLDER, MANIFEST_FILE, MODEL_FOLDER

from alignment_trainer.synthesis.first_process import shared
from alignment_trainer.synthesis.rounds import gain
from alignment_trainer.synthesis.rounds.contrast import report_of
from alignment_trainer.synthesis.rounds.pairs import REMARKS
from alignment_trainer.synthesis.rounds.round_config import REFERENCE_FOLDER, Round, Student
from alignment_trainer.synthesis.rounds.round_judge import Judged, judged_in
from alignment_trainer.synthesis.rounds.stage_course import StageCourse

_ASKED = "asked"


class Ended(NamedTuple):
    """A round that has ended."""

    one: Round
    made: Student
    steps: int
    report: dict[str, Any]
    judged: Judged | None

    @property
    def outcomes(self) -> dict[str, float]:
        """Return the judge's verdict on each question; none without a judge."""
        return self.judged.outcomes if self.judged else {}


def left_of(one: Round) -> Student:
    """Return the student that a trained round left."""
    return Student(one.folder / MODEL_FOLDER, shared(lambda: str(_manifest(one)["weights"]["made"])))


def end_round(one: Round, before: Sequence[Ended], course: StageCourse | None) -> Ended:
    """Collect what a round left, and carry it over to the stage."""
    left: tuple[int, dict[str, Any], Judged | None] = shared(
        lambda: (int(_manifest(one)["steps"]), report_of(one) or {}, judged_in(one.folder))
    )
    ended = Ended(one, left_of(one), *left)
    if course:
        course.end()
        course.note(_of_pairs(ended))
        course.note(_of_verdicts([*before, ended]), ended.steps)
        for name in (CHECKPOINTS_FOLDER, REFERENCE_FOLDER):
            # Many rounds would fill the volume.
            shutil.rmtree(one.folder / name, ignore_errors=True)
    return ended


def summary(rounds: Sequence[Ended]) -> list[dict[str, Any]]:
    """Return what the manifest says of each round."""
    found = []
    for index, each in enumerate(rounds):
        judged = {}
        if each.judged:
            outcomes = [one.outcomes for one in rounds[: index + 1]]
            judged = {
                "winRate": vars(gain.rate(each.outcomes)),
                "gain": vars(gain.gain(outcomes)),
                "unjudged": each.judged.left_out,
            }
        found.append({**each.report, "steps": each.steps, "madeWeights": each.made.weights, **judged})
    return found


def _manifest(one: Round) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((one.folder / MANIFEST_FILE).read_text())
    return manifest


def _of_pairs(ended: Ended) -> dict[str, float]:
    counts = {name: count for name, count in ended.report["counts"].items() if name not in (_ASKED, *REMARKS)}
    return {
        metrics.ROUND: float(ended.one.number),
        metrics.ROWS_WRITTEN: float(ended.report["pairs"]),
        metrics.ROWS_LEFT_OUT: float(sum(counts.values())),
        **{metrics.left_out_of(reason): float(count) for reason, count in counts.items()},
    }


def _of_verdicts(rounds: Sequence[Ended]) -> dict[str, float]:
    judged = rounds[-1].judged
    if judged is None:
        return {}
    outcomes = [each.outcomes for each in rounds]
    rate, gained = gain.rate(outcomes[-1]), gain.gain(outcomes)
    found = {
        metrics.ROUND_WIN_RATE: rate.value,
        metrics.ROUND_WIN_RATE_ERROR: rate.error,
        metrics.ROUND_GAIN: gained.value,
        metrics.ROUND_GAIN_ERROR: gained.error,
    }
    return {**judged.asked, **{name: value for name, value in found.items() if value is not None}}
