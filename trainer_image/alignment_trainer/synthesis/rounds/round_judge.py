"""Has a judge compare the student after a round with the student at the start of the stage, on fixed questions."""

import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from alignment_api.files import write_whole
from alignment_api.run_config import RunConfig

from alignment_trainer.endpoints.question import Answer, Message, Unanswered
from alignment_trainer.failures import BadData
from alignment_trainer.judging.pairwise import compare
from alignment_trainer.settings.dpo_distillation import DpoDistillationSettings, RoundJudgeSettings
from alignment_trainer.synthesis.drawing import drawn_seed
from alignment_trainer.synthesis.made import LeftOut, Outcome
from alignment_trainer.synthesis.progress import of_counts
from alignment_trainer.synthesis.prompts import Prompt, key_of, prompts_of
from alignment_trainer.synthesis.rounds.beside import Beside, write_beside
from alignment_trainer.synthesis.rounds.lessons import read_lessons
from alignment_trainer.synthesis.rounds.templates import asked_about
from alignment_trainer.synthesis.stopping import StoppableAsking, run_until_stopped
from alignment_trainer.synthesis.student import Asked
from alignment_trainer.synthesis.writing import Report

_QUESTIONS_FILE = "judge-questions.jsonl"
_JUDGED_FILE = "judged.json"
_VERDICTS_FOLDER = "verdicts"
_FEWEST = 2
"""One question has no standard error."""


class Judged(NamedTuple):
    """What became of a round's questions."""

    outcomes: dict[str, float]
    """By question: 1 where the round's student won in both orders, 0 where the start did, 0.5 else."""
    left_out: dict[str, int]
    asked: dict[str, float]
    """What the stage had asked by then, as metrics."""


def fix_questions(config: RunConfig, settings: DpoDistillationSettings, judge: RoundJudgeSettings) -> None:
    """Write down which questions all rounds are judged on; the first process does, once for all attempts."""
    stage = Path(config.paths.stage)
    if (stage / _QUESTIONS_FILE).exists():
        return
    found, _ = prompts_of(config, judge.questions, f"{judge.path}.questions", settings.seed)
    trained = {lesson.key for lesson in read_lessons(stage)}
    asked = [asked_about(prompt.messages, settings.template) for prompt in found if isinstance(prompt, Prompt)]
    unknown = [messages for messages in asked if key_of(messages) not in trained]
    if len(unknown) < _FEWEST:
        raise BadData(
            f"{judge.path}.questions: {len(unknown)} of {len(asked)} questions are not among the prompts, and a standard error "
            f"needs {_FEWEST}; name other questions"
        )
    count = min(judge.maximum_questions, len(unknown))
    places = sorted(random.Random(f"{settings.seed}/judge").sample(range(len(unknown)), count))
    write_whole(stage / _QUESTIONS_FILE, "".join(json.dumps(unknown[place]) + "\n" for place in places))


def judge_questions(config: RunConfig, settings: DpoDistillationSettings) -> list[Asked]:
    """Return what the student is asked after each round, with the same seeds each time."""
    lines = (Path(config.paths.stage) / _QUESTIONS_FILE).read_text(encoding="utf-8").splitlines()
    messages: list[tuple[Message, ...]] = [tuple(json.loads(line)) for line in lines]
    return [Asked(key_of(each), each, drawn_seed(settings.seed, "judged", key_of(each))) for each in messages]


class Contest(NamedTuple):
    """The answers of a round's student and of the start of the stage, in the order of the questions."""

    questions: Sequence[Asked]
    student: Sequence[Answer | Unanswered]
    start: Sequence[Answer | Unanswered]

    def prompts(self) -> Iterator[Prompt | LeftOut]:
        """Yield the questions with both answers; those that one of the two could not read are left out."""
        for one, mine, before in zip(self.questions, self.student, self.start, strict=True):
            if isinstance(mine, Answer) and isinstance(before, Answer):
                yield Prompt(one.key, tuple(one.messages), {"student": mine.text, "start": before.text}, _QUESTIONS_FILE)
            else:
                yield LeftOut("unreadable")


def judge_round(
    config: RunConfig, settings: DpoDistillationSettings, judge: RoundJudgeSettings, contest: Contest, folder: Path
) -> None:
    """Write the judge's verdicts into the round's folder; only the first process does."""

    async def duel(asking: StoppableAsking, prompt: Prompt) -> Outcome:
        student, start = prompt.row["student"], prompt.row["start"]
        said = {"key": prompt.key, "messages": [*prompt.messages, {"role": "assistant", "content": student}], "start": start}
        if student == start:
            return [{**said, "outcome": 0.5, "verdicts": ["Tie", "Tie"]}]
        seed = drawn_seed(settings.seed, "judge", prompt.key)
        found = await compare(asking, judge.server, judge.sampling, prompt.messages, student, start, seed)
        if found.outcome is None:
            return LeftOut(found.failures[0], has_failed=True)
        return [{**said, "outcome": found.outcome, "verdicts": found.verdicts, "rationales": found.rationales}]

    async def write(asking: StoppableAsking) -> Report:
        total = len(contest.questions)
        return await write_beside(config, beside, contest.prompts(), total, lambda prompt: duel(asking, prompt), asking)

    beside = Beside(folder / _VERDICTS_FOLDER, "asking the judge", settings.maximum_failed_share)
    report = run_until_stopped(config, write)
    rows = [row for outcome in report.made.in_order() if not isinstance(outcome, LeftOut) for row in outcome]
    outcomes = {row["key"]: row["outcome"] for row in rows}
    judged = Judged(outcomes, dict(report.made.left_out), of_counts(report.asked))
    write_whole(folder / _JUDGED_FILE, json.dumps(judged._asdict(), indent=1))


def judged_in(folder: Path) -> Judged | None:
    """Return the verdicts of a round; None until all questions are judged."""
    path = folder / _JUDGED_FILE
    return Judged(**json.loads(path.read_text())) if path.exists() else None
