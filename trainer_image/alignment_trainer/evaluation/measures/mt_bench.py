"""MT-Bench: the model answers the turns of a question one after the other, and each judge grades every answer from 1 to 10."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import combinations, groupby

from alignment_api.results.evaluation import EvaluatedRow, JudgePanel, Settings
from alignment_api.spec.lineage import digest

from alignment_trainer.asking.prompts import readable
from alignment_trainer.endpoints.question import Answer, Ask, Message, SamplingSettings, Unanswered
from alignment_trainer.evaluation.answers import about, draw, drawn, question, sampling_settings
from alignment_trainer.evaluation.candidates import Candidate
from alignment_trainer.evaluation.judged.judges import Judge, Judged, all_say, judge_rows, judge_settings, judges_of, published
from alignment_trainer.evaluation.judged.panel import panel_of
from alignment_trainer.evaluation.judged.right_answers import NEEDING
from alignment_trainer.evaluation.judged.verdicts import Said, details_of, of_grade, reason_of, score_of
from alignment_trainer.evaluation.measure import Measure, Metric, RowsOfModels
from alignment_trainer.evaluation.row_file import RowFile
from alignment_trainer.evaluation.subject import Subject
from alignment_trainer.evaluation.tasks import OpenTask, TaskRow
from alignment_trainer.judging.grade import PROMPT, grade
from alignment_trainer.synthesis.drawing import drawn_seed
from alignment_trainer.synthesis.first_process import shared
from alignment_trainer.synthesis.prompts import key_of

GRADE, LENGTH = "grade", "length"
_TEMPERATURES = {"writing": 0.7, "roleplay": 0.7, "humanities": 0.1, "stem": 0.1}
_OTHERS = 0.0
"""Where one answer is right, nothing is gained by chance."""

Asked = dict[str, tuple[Message, ...]]
"""What is asked in one turn, by row."""


def sampling_of(category: str, sampling: SamplingSettings) -> SamplingSettings:
    """Return how a model answers the questions of a category."""
    return replace(sampling, temperature=_TEMPERATURES.get(category, _OTHERS))


def _metrics(task: OpenTask) -> list[Metric]:
    categories = dict.fromkeys(row.value.category for row in task.rows)
    parts = [*(f"turn_{turn + 1}" for turn in range(_most_turns(task))), *categories]
    of_parts = [Metric(f"{GRADE}/{part}", "Higher", is_unbounded=True) for part in parts]
    return [Metric(GRADE, "Higher", is_main=True, is_unbounded=True), *of_parts, Metric(LENGTH, "Neither", is_unbounded=True)]


def _settings(task: OpenTask) -> Settings:
    return {
        **judge_settings(task.settings, PROMPT),
        "temperatures": ", ".join([*(f"{name} {value}" for name, value in _TEMPERATURES.items()), f"others {_OTHERS}"]),
        **{name: value for name, value in sampling_settings(task).items() if name != "temperature"},
        "with_references": sum(bool(row.value.references) for row in task.rows),
    }


def _places(task: OpenTask) -> list[str]:
    return [_place(row, turn) for row in task.rows for turn in range(len(row.value.turns))]


def _measure(subject: Subject, task: OpenTask, file: RowFile) -> None:
    subject.check_template(task.path)
    asked = _first_turn(task)
    for turn in range(_most_turns(task)):
        if turn:
            # The others may see later what was answered before.
            asked = shared(partial(_asked_then, task, subject.candidate, asked, turn))
        for sampling, places in _by_sampling(task, asked):
            draw(subject, task, [question(asked[place], task.settings.seed) for place in places], sampling)


def _score(task: OpenTask, candidate: Candidate, file: RowFile) -> None:
    judges = judges_of(task.settings)
    rows: list[Judged] = []
    asked = _first_turn(task)
    for turn in range(_most_turns(task)):
        answers = _answers(task, candidate, asked)
        for row in task.rows:
            if turn < len(row.value.turns):
                rows.append(_Turn(task, row, turn, asked.get(row.place), answers.get(row.place)).asked(judges))
        asked = _next_turn(task, asked, answers, turn + 1)
    judge_rows(task, candidate.name, file, rows)


class _Turn:
    """One turn of a question with a model's answer, or without where an earlier one has none."""

    def __init__(
        self, task: OpenTask, row: TaskRow, turn: int, messages: tuple[Message, ...] | None, answer: Answer | Unanswered | None
    ) -> None:
        self._task, self._row, self._turn = task, row, turn
        self._messages, self._answer, self._right = messages, answer, row.value.references[: turn + 1]

    @property
    def _reference(self) -> str | None:
        return (self._right[self._turn] or None) if self._turn < len(self._right) else None

    def asked(self, judges: list[Judge]) -> Judged:
        """Return what judges are asked about."""
        text = self._answer.text if isinstance(self._answer, Answer) else None
        shown = digest([PROMPT, self._messages, text, self._right])
        return Judged(_place(self._row, self._turn), shown, partial(self.graded, judges))

    async def graded(self, judges: list[Judge], ask: Ask) -> EvaluatedRow:
        """Return the row of the answer."""
        if not isinstance(self._answer, Answer):
            return self._evaluated([], self._answer.detail if self._answer else "an earlier turn has no answer")
        said = await all_say(judges, partial(self._said, ask))
        return self._evaluated(said, reason_of(said))

    async def _said(self, ask: Ask, judge: Judge) -> Said:
        assert self._messages is not None
        assert isinstance(self._answer, Answer)
        settings = self._task.settings
        seed = drawn_seed(settings.seed, GRADE, key_of(self._messages))
        found = await grade(ask, judge.server, settings.judge_sampling, self._messages, self._answer.text, seed, self._right)
        return of_grade(judge.name, found)

    def _evaluated(self, said: list[Said], reason: str) -> EvaluatedRow:
        asked = self._row.value
        found = score_of(said) if said else None
        answer = self._answer if isinstance(self._answer, Answer) else None
        grades = dict.fromkeys((GRADE, f"{GRADE}/turn_{self._turn + 1}", f"{GRADE}/{asked.category}"), found)
        messages = self._messages or tuple(_user(text) for text in asked.turns[: self._turn + 1])
        return EvaluatedRow(
            key=key_of(tuple(_user(text) for text in asked.turns)),
            row=_place(self._row, self._turn),
            prompt=readable([dict(message) for message in messages]),
            answer=answer.text if answer else None,
            reference=self._reference,
            scores={**grades, LENGTH: None if found is None or answer is None else float(len(answer.text))},
            reason=reason or None,
            details={
                "category": asked.category,
                "turn": self._turn + 1,
                **(about(answer) if answer else {}),
                **details_of(said),
            },
        )


def _first_turn(task: OpenTask) -> Asked:
    return {row.place: (_user(row.value.turns[0]),) for row in task.rows}


def _asked_then(task: OpenTask, candidate: Candidate, asked: Asked, turn: int) -> Asked:
    """Return what a model is asked in a turn, after it has answered what it was asked in the one before."""
    return _next_turn(task, asked, _answers(task, candidate, asked), turn)


def _next_turn(task: OpenTask, asked: Asked, answers: Mapping[str, Answer | Unanswered], turn: int) -> Asked:
    turns = {row.place: row.value.turns for row in task.rows}
    return {
        place: (*asked[place], {"role": "assistant", "content": answer.text}, _user(turns[place][turn]))
        for place, answer in answers.items()
        if isinstance(answer, Answer) and turn < len(turns[place])
    }


def _answers(task: OpenTask, candidate: Candidate, asked: Asked) -> dict[str, Answer | Unanswered]:
    found: dict[str, Answer | Unanswered] = {}
    for sampling, places in _by_sampling(task, asked):
        questions = [question(asked[place], task.settings.seed) for place in places]
        found |= zip(places, drawn(task, candidate, questions, sampling), strict=True)
    return found


def _by_sampling(task: OpenTask, asked: Asked) -> Iterator[tuple[SamplingSettings, list[str]]]:
    """Yield the rows that are answered at the same temperature."""
    of_row = {row.place: sampling_of(row.value.category, task.settings.sampling) for row in task.rows}
    by_temperature = sorted(asked, key=lambda place: of_row[place].temperature)
    for _, places in groupby(by_temperature, key=lambda place: of_row[place].temperature):
        together = list(places)
        yield of_row[together[0]], together


def _panel(task: OpenTask, rows: RowsOfModels) -> JudgePanel:
    names = [judge.name for judge in judges_of(task.settings)]
    return panel_of(task.name, names, rows, verdict=float, longer=longer_wins(rows))


def _notes(task: OpenTask, rows: RowsOfModels) -> Iterator[str]:
    needing = [row.value for row in task.rows if row.value.category in NEEDING]
    missing = sum(not asked.references for asked in needing)
    if missing:
        yield (
            f"{task.name}: {missing} of {len(needing)} questions of math, coding and reasoning have no reference answer, "
            "and are graded without one"
        )


def longer_wins(rows: RowsOfModels) -> Iterator[float]:
    """Yield for each answer that got another grade than a model's before it whether the longer one got the better grade."""
    by_model = [{row.row: row.scores for row in of} for of in rows.values()]
    for one, other in combinations(by_model, 2):
        for place in one.keys() & other.keys():
            better, longer = (_compared(one[place], other[place], name) for name in (GRADE, LENGTH))
            if better and longer:
                yield float(better == longer)


def _compared(one: Mapping[str, float | None], other: Mapping[str, float | None], name: str) -> int:
    first, second = one.get(name), other.get(name)
    return 0 if first is None or second is None else (first > second) - (first < second)


def _most_turns(task: OpenTask) -> int:
    return max(len(row.value.turns) for row in task.rows)


def _place(row: TaskRow, turn: int) -> str:
    return f"{row.place}, turn {turn + 1}"


def _user(text: str) -> Message:
    return {"role": "user", "content": text}


MEASURE = Measure(_metrics, _settings, _measure, _score, published, panel=_panel, notes=_notes, places=_places)
