"""Asks a server of the student's weights, after a canary has shown that it serves those of this round."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from alignment_api.files import write_whole
from alignment_api.run_config import RunConfig

from alignment_trainer.endpoints.question import Answer, Question, SamplingSettings, Server, Unanswered
from alignment_trainer.failures import StaleStudent, Unreachable
from alignment_trainer.settings.dpo_distillation import DpoDistillationSettings
from alignment_trainer.synthesis.made import LeftOut, Outcome
from alignment_trainer.synthesis.prompts import Prompt
from alignment_trainer.synthesis.rounds.beside import Beside, shown, write_beside
from alignment_trainer.synthesis.rounds.round_config import Round
from alignment_trainer.synthesis.stopping import StoppableAsking, run_until_stopped
from alignment_trainer.synthesis.student import Asked
from alignment_trainer.synthesis.writing import Report

_CANARY_FILE = "canary.json"
_FOLDER = "served"
_CANARIES = 16

Texts = Mapping[str, str]
"""What a server answers to the canaries, by their keys."""


def served_answers(
    config: RunConfig, settings: DpoDistillationSettings, server: Server, one: Round, asked: Sequence[Asked]
) -> list[Answer | Unanswered]:
    """Return the answers in the order of the questions; refuse a server of other weights than those of this round."""
    beside = Beside(one.folder / _FOLDER, "asking the student", settings.maximum_failed_share)
    seeds = {each.key: each.seed for each in asked}

    async def make(asking: StoppableAsking, prompt: Prompt) -> Outcome:
        # A kept answer of other weights must not be taken for one of these.
        weights = f"student {one.student.weights}"
        question = Question(prompt.messages, settings.student_sampling, seeds[prompt.key], template=weights)
        answer = await asking(server, question)
        if isinstance(answer, Unanswered):
            return LeftOut(answer.reason, answer.detail, has_failed=True)
        said = [*prompt.messages, {"role": "assistant", "content": answer.text}]
        return [{"key": prompt.key, "messages": said, "answer": asdict(answer)}]

    async def write(asking: StoppableAsking) -> Report:
        async with shown(config, asking):
            await _check(config, settings, server, one, asked, asking)
        prompts = (Prompt(each.key, tuple(each.messages), {}, each.key) for each in asked)
        return await write_beside(config, beside, prompts, len(asked), lambda prompt: make(asking, prompt), asking)

    made = run_until_stopped(config, write).made
    rows = [row for outcome in made.in_order() if not isinstance(outcome, LeftOut) for row in outcome]
    known = {row["key"]: Answer(**row["answer"]) for row in rows}
    return [known.get(each.key) or Unanswered("Unanswered", "the server gave no usable answer") for each in asked]


async def _check(
    config: RunConfig,
    settings: DpoDistillationSettings,
    server: Server,
    one: Round,
    asked: Sequence[Asked],
    asking: StoppableAsking,
) -> None:
    # Asked anew in each attempt: the server may serve other weights by now.
    template = f"canary of round {one.number}, attempt {config.attempt}"
    greedy = SamplingSettings(0, 1, settings.student_sampling.maximum_tokens)
    texts: dict[str, str] = {}
    for each in asked[:_CANARIES]:
        answer = await asking(server, Question(tuple(each.messages), greedy, 0, template=template))
        if isinstance(answer, Unanswered):
            raise Unreachable(f"{server.field}: the student's server gives no usable answer ({answer.reason}: {answer.detail})")
        texts[each.key] = answer.text
    own, before = _texts_of(one.folder), _texts_of(one.folder.parent / str(one.number - 1))
    if why := why_stale(texts, own, before):
        raise StaleStudent(
            f"{server.field}: the server answers {len(texts)} questions {why}; load the model of "
            f"{_shown(one.student.folder, config)} into it, and the stage continues with round {one.number}"
        )
    if own is None:
        write_whole(one.folder / _CANARY_FILE, json.dumps(texts))


def why_stale(texts: Texts, own: Texts | None, before: Texts | None) -> str | None:
    """Return what shows that a server has other weights: `own` is what it said when the round began, `before` one round earlier.

    Servers compute in batches, so the same weights may give some other answers.
    """
    if own is None:
        return "exactly as before the last round" if before == texts else None
    if not _alike(texts, own):
        return "all otherwise than when this round began"
    return "more as before the last round than as when this round began" if _alike(texts, before) > _alike(texts, own) else None


def _alike(texts: Texts, others: Texts | None) -> int:
    return sum((others or {}).get(key) == text for key, text in texts.items())


def _texts_of(folder: Path) -> Texts | None:
    file = folder / _CANARY_FILE
    if not file.exists():
        return None
    texts: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return texts


def _shown(folder: Path, config: RunConfig) -> str:
    return str(folder.relative_to(config.paths.workspace)) if folder.is_relative_to(config.paths.workspace) else str(folder)
