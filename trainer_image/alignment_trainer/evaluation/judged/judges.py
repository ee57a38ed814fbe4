"""Asks the judges of a stage about the rows of a task, many at once; a row with all its verdicts is not asked about again."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from alignment_api.results.evaluation import EvaluatedRow, Settings
from alignment_api.spec.parts import endpoints_of

from alignment_trainer.endpoints.pacing.pace import CONCURRENCY
from alignment_trainer.endpoints.question import Ask, Server
from alignment_trainer.endpoints.together import all_ended, dealt
from alignment_trainer.evaluation.judged.verdicts import Said, said_in
from alignment_trainer.evaluation.measure import RowsOfModels
from alignment_trainer.evaluation.row_file import RowFile, has_score
from alignment_trainer.evaluation.tasks import OpenTask
from alignment_trainer.failures import TooFewRows, UnusableAnswers
from alignment_trainer.judging.verdicts import NOT_RATED
from alignment_trainer.settings.evaluation import EvaluationSettings
from alignment_trainer.synthesis.made import by_reason
from alignment_trainer.synthesis.rounds.beside import shown
from alignment_trainer.synthesis.stopping import StoppableAsking, run_until_stopped


class Judge(NamedTuple):
    """One of the judges of a stage."""

    name: str
    """As rows and reports show it; no other judge of the stage has it."""
    server: Server


_SHOWN = "shown"
"""In a row's details until it is published: `Judged.shown`."""


class Judged(NamedTuple):
    """A row that judges are asked about."""

    row: str
    shown: str
    """Hash of all that judges are shown: an earlier attempt's row about other texts is no row of this one."""
    ask: Callable[[Ask], Awaitable[EvaluatedRow]]


def judges_of(settings: EvaluationSettings) -> list[Judge]:
    """Return the judges of a stage."""
    count = Counter(server.endpoint.model for server in settings.judges)
    return [
        Judge(name if count[name] == 1 else f"{name} (judges[{index}])", server)
        for index, server in enumerate(settings.judges)
        for name in [server.endpoint.model]
    ]


def judge_settings(settings: EvaluationSettings, prompt: str) -> Settings:
    """Return what shapes the verdicts of a stage's judges; `prompt` is the hash of their prompt."""
    return {
        "judges": ", ".join(judge.name for judge in judges_of(settings)),
        "judge_temperature": settings.judge_sampling.temperature,
        "judge_top_p": settings.judge_sampling.top_p,
        "judge_prompt": prompt,
    }


async def all_say(judges: Sequence[Judge], ask: Callable[[Judge], Awaitable[Said]]) -> list[Said]:
    """Return the verdicts of all judges, in their order."""
    return await all_ended(ask(judge) for judge in judges)


def judge_rows(task: OpenTask, model: str, file: RowFile, rows: Sequence[Judged]) -> None:
    """Append the rows that no earlier attempt has finished; what is answered already costs nothing again."""
    known = {row.row: row.details.get(_SHOWN) for row in file.read() if has_score(row)}
    left = [row for row in rows if known.get(row.row) != row.shown]
    if left:
        run_until_stopped(task.config, lambda asking: _judge(task, model, file, left, len(rows), asking))


def published(task: OpenTask, model: str, rows: RowsOfModels) -> list[EvaluatedRow]:
    """Return a model's rows without what only the next attempt would read."""
    return [
        row.model_copy(update={"details": {name: value for name, value in row.details.items() if name != _SHOWN}})
        for row in rows[model]
    ]


async def _judge(task: OpenTask, model: str, file: RowFile, rows: Sequence[Judged], total: int, asking: StoppableAsking) -> None:
    failed: list[EvaluatedRow] = []

    async def finish(row: Judged) -> None:
        # Where all answers are kept, nothing else waits: a signal has to be heard.
        await asyncio.sleep(0)
        found = await row.ask(asking)
        file.append([found.model_copy(update={"details": {**found.details, _SHOWN: row.shown}})])
        failed.extend([] if has_score(found) else [found])
        if len(failed) > task.settings.maximum_failed_share * total:
            raise _failure(task, model, failed, total)

    workers = sum(endpoint.concurrency or CONCURRENCY for _, endpoint in endpoints_of(task.config.stage))
    async with shown(task.config, asking):
        await dealt(iter(rows), workers, finish)


def _failure(task: OpenTask, model: str, failed: Sequence[EvaluatedRow], total: int) -> TooFewRows | UnusableAnswers:
    """Return a failure that is retried only if another attempt would ask something."""
    reasons = by_reason(Counter(row.reason or "" for row in failed))
    what = (
        f"{task.path}: {len(failed)} of {total} rows of {model} have no verdict ({reasons}), "
        f"more than maximumFailedShare {task.settings.maximum_failed_share:g}"
    )
    said = [one for row in failed for one in said_in(row, [judge.name for judge in judges_of(task.settings)])]
    if all(one.failure in ("", NOT_RATED) for one in said):
        return UnusableAnswers(f"{what}; all requests were answered, and another attempt would read the same answers")
    return TooFewRows(f"{what}; all answers are kept, and the next attempt asks for the others")
