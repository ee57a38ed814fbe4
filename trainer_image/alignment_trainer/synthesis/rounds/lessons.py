"""The questions of a stage with the teacher's answers: asked once, then fixed in one file that all rounds and attempts read."""

import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from alignment_api import metrics
from alignment_api.files import write_whole
from alignment_api.run_config import RunConfig
from alignment_api.spec.data import Holdout

from alignment_trainer.endpoints.question import Answer, Message, Question
from alignment_trainer.failures import BadConfiguration
from alignment_trainer.settings.dpo_distillation import DpoDistillationSettings
from alignment_trainer.settings.training import training_settings
from alignment_trainer.synthesis.drawing import drawn_seed
from alignment_trainer.synthesis.made import LeftOut, Outcome
from alignment_trainer.synthesis.progress import of_counts
from alignment_trainer.synthesis.prompts import Prompt, key_of, prompts_of
from alignment_trainer.synthesis.rounds.beside import Beside, write_beside
from alignment_trainer.synthesis.rounds.templates import asked_about
from alignment_trainer.synthesis.stopping import StoppableAsking, run_until_stopped
from alignment_trainer.synthesis.writing import Report
from alignment_trainer.workspace.journal import Journal
from alignment_trainer.workspace.preparation_progress import most_steps

_FILE, _LEFT_OUT_FILE = "teacher.jsonl", "teacher-left-out.json"
_FOLDER = "teacher"


class Lesson(NamedTuple):
    """A question, and what the teacher answered."""

    key: str
    messages: tuple[Message, ...]
    answer: Answer
    is_held_out: bool
    """Whether its pair is only evaluated on; in all rounds the same questions."""


def ask_teacher(config: RunConfig, settings: DpoDistillationSettings) -> None:
    """Write the teacher's answers to all questions, unless an earlier attempt has; only the first process does."""
    stage = Path(config.paths.stage)
    if (stage / _FILE).exists():
        return
    steps = float(most_steps(training_settings(config), 1))
    Journal(stage).show({metrics.TOTAL_STEPS: steps * settings.rounds})
    beside = Beside(stage / _FOLDER, "asking the teacher", settings.maximum_failed_share)

    async def write(asking: StoppableAsking) -> Report:
        prompts, total = prompts_of(config, settings.prompts, f"{settings.path}.prompts", settings.seed)
        asked = (_within_template(prompt, settings.template) for prompt in prompts)
        return await write_beside(config, beside, asked, total, lambda prompt: _lesson(settings, asking, prompt), asking)

    report = run_until_stopped(config, write)
    _fix(config, settings, report)


def read_lessons(stage: Path) -> list[Lesson]:
    """Read the questions with the teacher's answers."""
    with (stage / _FILE).open(encoding="utf-8") as file:
        return [
            Lesson(row["key"], tuple(row["messages"][:-1]), Answer(**row["answer"]), row["heldOut"])
            for row in map(json.loads, file)
        ]


def without_lesson(stage: Path) -> dict[str, int]:
    """Return how many rows have no answer of the teacher to learn from, by reason."""
    counts: dict[str, int] = json.loads((stage / _LEFT_OUT_FILE).read_text())
    return counts


async def _lesson(settings: DpoDistillationSettings, asking: StoppableAsking, prompt: Prompt) -> Outcome:
    question = Question(prompt.messages, settings.teacher_sampling, drawn_seed(settings.seed, "teacher", prompt.key))
    answer = await asking(settings.teacher, question)
    if not isinstance(answer, Answer):
        return LeftOut(answer.reason, answer.detail, has_failed=True)
    if answer.finish != "stop" and not settings.keeps_cut:
        return LeftOut("teacherCut")
    said = [*prompt.messages, {"role": "assistant", "content": answer.text}]
    return [{"key": prompt.key, "messages": said, "answer": asdict(answer)}]


def _within_template(prompt: Prompt | LeftOut, template: str | None) -> Prompt | LeftOut:
    if isinstance(prompt, LeftOut):
        return prompt
    messages = asked_about(prompt.messages, template)
    return prompt._replace(key=key_of(messages), messages=messages)


def _fix(config: RunConfig, settings: DpoDistillationSettings, report: Report) -> None:
    """Write down what the rounds read: a later attempt must see the same questions, even if it could get more answers."""
    stage = Path(config.paths.stage)
    answered = report.made.written
    held_out = _drawn(training_settings(config).holdout, answered, settings.seed, settings.path)
    write_whole(stage / _LEFT_OUT_FILE, json.dumps(dict(report.made.left_out)))
    Journal(stage).append(0, of_counts(report.asked), {})
    write_whole(stage / _FILE, "".join(_lines(_rows(report), held_out)))


def _rows(report: Report) -> Iterator[dict[str, Any]]:
    for outcome in report.made.in_order():
        if not isinstance(outcome, LeftOut):
            yield from outcome


def _lines(rows: Iterable[dict[str, Any]], held_out: frozenset[int]) -> Iterator[str]:
    for position, row in enumerate(rows):
        yield json.dumps({**row, "heldOut": position in held_out}, ensure_ascii=False) + "\n"


def _drawn(holdout: Holdout | None, available: int, seed: int, path: str) -> frozenset[int]:
    if holdout is None or holdout.datasets:
        return frozenset()
    count = max(1, round(available * holdout.fraction)) if holdout.fraction else holdout.examples or 0
    if count >= available:
        raise BadConfiguration(
            f"{path}.holdout: would keep {count} of {available} answered questions out of training; hold out fewer"
        )
    return frozenset(random.Random(f"{seed}/held out").sample(range(available), count))
