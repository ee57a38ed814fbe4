"""What a stage that asks teachers or judges probably does not mean; each with its field and a sentence; pure."""

from collections.abc import Iterator

from alignment_api.problems import Problem
from alignment_api.spec.data import Dataset
from alignment_api.spec.endpoints import Budget
from alignment_api.spec.parts import endpoints_of
from alignment_api.spec.settings.synthesis import Feedback
from alignment_api.spec.stages import DpoDistillation, Stage


def asking_warnings(stage: Stage, path: str) -> Iterator[Problem]:
    """List what is questionable in a stage that asks endpoints; `path` leads to its settings."""
    settings = stage.settings
    remarks = {"budget": _unlimited_remark(stage)}
    if isinstance(settings, Feedback):
        remarks["judge"] = _own_judge_remark(settings)
        remarks["sampling.temperature"] = _same_answers_remark(settings)
    if isinstance(settings, DpoDistillation):
        remarks["rounds"] = _one_round_remark(settings)
        remarks["roundJudge.endpoint"] = _teacher_judges_remark(settings)
        remarks["roundJudge.questions"] = _known_questions_remark(settings)
    yield from (Problem(f"{path}.{field}", sentence) for field, sentence in remarks.items() if sentence)


def _unlimited_remark(stage: Stage) -> str | None:
    """Return in words that servers charge and nothing limits their cost; None if none charges, or there is a limit."""
    budget: Budget | None = getattr(stage.settings, "budget", None)
    prices = [endpoint.price for _, endpoint in endpoints_of(stage) if endpoint.price]
    charges = any(price.prompt_per_million_tokens or price.answer_per_million_tokens for price in prices)
    if not charges or (budget and (budget.cost or budget.tokens or budget.requests)):
        return None
    return "servers of this stage charge for tokens, and nothing limits what it costs; set budget.cost"


def _own_judge_remark(settings: Feedback) -> str | None:
    answering = {responder.endpoint.model for responder in settings.responders or [] if responder.endpoint}
    if settings.judge is None or settings.judge.model not in answering:
        return None
    return f"{settings.judge.model!r} judges its own answers, and a model prefers those; name a model that is no responder"


def _same_answers_remark(settings: Feedback) -> str | None:
    models, answers = len(settings.responders or []), settings.answers_per_prompt or 0
    if not 0 < models < answers or settings.principles or (settings.sampling and settings.sampling.temperature != 0):
        return None
    drawn = f"{answers} answers are drawn from {'1 model' if models == 1 else f'{models} models'}"
    return f"{drawn}, and at temperature 0 a model gives the same answer again, which is dropped; raise it"


def _one_round_remark(settings: DpoDistillation) -> str | None:
    if settings.mode != "Online" or settings.rounds != 1:
        return None
    return "one round samples the student only once, as mode Offline does; set more rounds, or mode: Offline"


def _teacher_judges_remark(settings: DpoDistillation) -> str | None:
    if settings.round_judge is None or settings.teacher is None:
        return None
    model = settings.round_judge.endpoint.model
    if model != settings.teacher.model:
        return None
    return f"{model!r} is also the teacher, and a model prefers answers like its own; name another judge"


def _known_questions_remark(settings: DpoDistillation) -> str | None:
    asked = {_rows(dataset) for dataset in settings.prompts or []}
    questions = settings.round_judge.questions if settings.round_judge else []
    known = next((dataset for dataset in questions if _rows(dataset) in asked), None)
    if known is None:
        return None
    return f"the student is trained on {known.uri or known.stage}, so its gain there shows little; name rows that are no prompts"


def _rows(dataset: Dataset) -> tuple[str | None, ...]:
    return dataset.uri, dataset.stage, dataset.configuration, dataset.split
