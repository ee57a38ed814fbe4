"""AlpacaEval: each judge compares the model's answers with those of an opponent, in both orders."""

from collections.abc import Iterator, Sequence
from functools import partial

from alignment_api.results.evaluation import Estimate, EvaluatedRow, JudgePanel, Settings
from alignment_api.spec.lineage import digest
from alignment_api.spec.stage_model import StageModel

from alignment_trainer.asking.prompts import readable
from alignment_trainer.data.tasks.outputs import Output
from alignment_trainer.endpoints.question import Answer, Ask, Unanswered
from alignment_trainer.evaluation.answers import about, answer_each, answers_of_each, sampling_settings
from alignment_trainer.evaluation.candidates import Candidate
from alignment_trainer.evaluation.judged.judges import Judge, Judged, all_say, judge_rows, judge_settings, judges_of, published
from alignment_trainer.evaluation.judged.opponents import Opposed
from alignment_trainer.evaluation.judged.panel import panel_of, winner
from alignment_trainer.evaluation.judged.verdicts import Said, details_of, of_duel, reason_of, said_in, score_of
from alignment_trainer.evaluation.measure import Measure, Metric, RowsOfModels
from alignment_trainer.evaluation.row_file import RowFile
from alignment_trainer.evaluation.tasks import OpenTask, TaskRow
from alignment_trainer.judging.bias import DuelBias
from alignment_trainer.judging.length_adjusted import Compared, length_adjusted
from alignment_trainer.judging.pairwise import PROMPT, Duel, compare
from alignment_trainer.settings.evaluation import model_name
from alignment_trainer.synthesis.drawing import drawn_seed
from alignment_trainer.synthesis.prompts import key_of

WIN_RATE, ADJUSTED, TIE, LENGTH, OTHER_LENGTH = "win_rate", "win_rate_length_adjusted", "ties", "length", "opponent_length"
_SCORES = (WIN_RATE, TIE, LENGTH, OTHER_LENGTH)
_TIE = 0.5


def _settings(task: OpenTask) -> Settings:
    return {**judge_settings(task.settings, PROMPT), **_opponent_settings(task), **sampling_settings(task)}


def _opponent_settings(task: OpenTask) -> Settings:
    against = task.task.against
    assert against is not None
    if against.outputs is None:
        return {"against": ", ".join(map(model_name, _others(task)))}
    outputs: list[Output] = [row.value.output for row in task.rows]
    generators = {one.generator for one in outputs if one.generator} or {against.outputs.source}
    texts = digest({one.instruction.strip(): one.text for one in outputs})
    return {"against": ", ".join(sorted(generators)), "outputs": texts}


def _others(task: OpenTask) -> Sequence[StageModel]:
    assert task.task.against is not None
    return [task.task.against.model] if task.task.against.model else []


def _opponent(task: OpenTask, model: str) -> StageModel | None:
    return next(iter(_others(task)), None)


def _score(task: OpenTask, candidate: Candidate, file: RowFile) -> None:
    answers = answers_of_each(task, candidate)
    others, judges = _opponents_answers(task, candidate, answers), judges_of(task.settings)
    comparisons = [_Comparison(task, *each) for each in zip(task.rows, answers, others, strict=True)]
    judge_rows(task, candidate.name, file, [one.asked(judges) for one in comparisons])


def _opponents_answers(task: OpenTask, candidate: Candidate, own: Sequence[Answer | Unanswered]) -> list[str | None]:
    """Return what each answer is compared with; None where the opponent has no answer."""
    for model in _others(task):
        if model_name(model) == candidate.name:
            return [answer.text if isinstance(answer, Answer) else None for answer in own]
        # Its own rows were written before.
        said = {row.row: row.answer for row in RowFile(task.stage, task.name, model_name(model)).read()}
        return [said.get(row.place) for row in task.rows]
    return [row.value.output.text for row in task.rows]


class _Comparison:
    """A model's answer to one instruction, and that of its opponent."""

    def __init__(self, task: OpenTask, row: TaskRow, answer: Answer | Unanswered, other: str | None) -> None:
        self._task, self._row, self._answer, self._other = task, row, answer, other

    def asked(self, judges: Sequence[Judge]) -> Judged:
        """Return what judges are asked about."""
        text = self._answer.text if isinstance(self._answer, Answer) else None
        shown = digest([PROMPT, self._row.value.messages, text, self._other])
        return Judged(self._row.place, shown, partial(self.judged, judges))

    async def judged(self, judges: Sequence[Judge], ask: Ask) -> EvaluatedRow:
        """Return the row; about equal answers no judge is asked."""
        if isinstance(self._answer, Unanswered):
            return self._evaluated(None, [], self._answer.detail)
        if self._other is None:
            return self._evaluated(None, [], "the opponent has no answer")
        if self._answer.text == self._other:
            return self._evaluated(_TIE, [], "both answers are equal")
        said = await all_say(judges, partial(self._said, ask))
        return self._evaluated(score_of(said), said, reason_of(said))

    async def _said(self, ask: Ask, judge: Judge) -> Said:
        assert isinstance(self._answer, Answer)
        assert self._other is not None
        messages, settings = self._row.value.messages, self._task.settings
        seed = drawn_seed(settings.seed, WIN_RATE, key_of(messages))
        duel = await compare(ask, judge.server, settings.judge_sampling, messages, self._answer.text, self._other, seed)
        return of_duel(judge.name, duel)

    def _evaluated(self, outcome: float | None, said: Sequence[Said], reason: str) -> EvaluatedRow:
        asked: Opposed = self._row.value
        answer = self._answer if isinstance(self._answer, Answer) else None
        scores: dict[str, float | None] = dict.fromkeys(_SCORES)
        if outcome is not None and answer is not None and self._other is not None:
            scores = {
                WIN_RATE: outcome,
                TIE: float(outcome == _TIE),
                LENGTH: float(len(answer.text)),
                OTHER_LENGTH: float(len(self._other)),
            }
        return EvaluatedRow(
            key=key_of(asked.messages),
            row=self._row.place,
            prompt=readable([dict(message) for message in asked.messages]),
            answer=answer.text if answer else None,
            reference=self._other,
            scores=scores,
            reason=reason,
            details={**(about(answer) if answer else {}), **details_of(said)},
        )


def adjusted(rows: Sequence[EvaluatedRow]) -> tuple[Estimate, str]:
    """Return the win rate at equal length, or an estimate without a value and why the rows do not allow one."""
    failed = {row.key for row in rows if row.scores.get(WIN_RATE) is None}
    known = [row for row in rows if row.key not in failed]
    found = length_adjusted([_compared(row) for row in known])
    if isinstance(found, str):
        return Estimate(count=len({row.key for row in known}), failed=len(failed)), found
    return found.model_copy(update={"failed": len(failed)}), ""


def _compared(row: EvaluatedRow) -> Compared:
    return Compared(row.key, *(float(row.scores[name] or 0) for name in (WIN_RATE, LENGTH, OTHER_LENGTH)))


def _panel(task: OpenTask, rows: RowsOfModels) -> JudgePanel:
    names = [judge.name for judge in judges_of(task.settings)]
    return panel_of(task.name, names, rows, verdict=winner, longer=longer_wins(names, rows))


def longer_wins(judges: Sequence[str], rows: RowsOfModels) -> Iterator[float]:
    """Yield for each verdict that is no tie, about answers of unlike lengths, whether the longer one won."""
    for row in (row for of in rows.values() for row in of):
        longer = (row.scores.get(LENGTH) or 0) - (row.scores.get(OTHER_LENGTH) or 0)
        for said in said_in(row, judges):
            if longer and said.value not in (None, _TIE):
                yield float((winner(said.value) > 0) == (longer > 0))


def _notes(task: OpenTask, rows: RowsOfModels) -> Iterator[str]:
    opponents = [model_name(model) for model in _others(task)]
    for model, of in rows.items():
        _, refusal = adjusted(of)
        if refusal and model not in opponents:
            yield f"{task.name}: the win rate of {model} is not adjusted for length: {refusal}"
    for judge in judges_of(task.settings):
        for warning in _bias(judge.name, rows).warnings:
            yield f"{task.name}, {judge.name}: {warning}"


def _bias(judge: str, rows: RowsOfModels) -> DuelBias:
    bias = DuelBias()
    for row in (row for of in rows.values() for row in of):
        for said in said_in(row, [judge]):
            if said.straight and said.swapped:
                straight, swapped = said.first_position
                duel = Duel(said.value, (said.straight, said.swapped), (straight, swapped), ("", ""), (), 0)
                bias.add(duel, row.answer or "", row.reference or "")
    return bias


_METRICS = (
    Metric(WIN_RATE, "Higher", is_main=True),
    Metric(ADJUSTED, "Higher", whole=lambda rows: adjusted(rows)[0]),
    Metric(TIE, "Neither"),
    Metric(LENGTH, "Neither", is_unbounded=True),
    Metric(OTHER_LENGTH, "Neither", is_unbounded=True),
)
MEASURE = Measure(
    lambda task: _METRICS,
    _settings,
    answer_each,
    _score,
    published,
    others=_others,
    relative_to=_opponent,
    panel=_panel,
    notes=_notes,
)
