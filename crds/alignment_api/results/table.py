"""The table of what models reached: models by tasks, over one or several reports; only what was measured alike is ranked."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from alignment_api.results.differences import Compared, is_beyond_chance, paired, unpaired
from alignment_api.results.evaluation import Better, Estimate, EvaluationReport, MeasuredModel, MeasuredTask, Score
from alignment_api.results.unlike import kind_of, unlike_sentences
from alignment_api.results.written import DIRECTIONS

STAR = "★"
LEGEND = (
    f"± is the standard error. {STAR} marks the best of a column where its difference to the next best exceeds its 95 % interval."
)
UNPAIRED = (
    "Models of different reports are compared as if their rows had nothing in common, so the intervals of these differences are "
    "wider than those within one report."
)


class Measured(NamedTuple):
    """The report of one evaluate stage."""

    job: str
    stage: str
    report: EvaluationReport


class Line(NamedTuple):
    """A model."""

    job: str
    model: MeasuredModel
    name: str
    """Unique within the table."""


class Column(NamedTuple):
    """One metric of one task, as it was measured with the same settings."""

    task: MeasuredTask
    metric: str
    better: Better
    is_main: bool
    title: str
    """Unique within the table."""


class Cell(NamedTuple):
    """The score of one model."""

    stage: str
    estimate: Estimate
    is_best: bool
    difference: Compared | None
    """To the first line of the table; None in that line, and where that line has no score."""


class Table(NamedTuple):
    """All scores; a cell that is missing was not measured."""

    lines: tuple[Line, ...]
    columns: tuple[Column, ...]
    cells: Mapping[tuple[int, int], Cell]
    """By the numbers of line and column."""
    sentences: tuple[str, ...]
    """What one must know to read it."""


class _Scored(NamedTuple):
    """A score with the report and the task that it belongs to."""

    measured: Measured
    task: MeasuredTask
    score: Score

    @property
    def model(self) -> tuple[str, MeasuredModel]:
        """Return whose score it is: of models with one name, each with its own weights."""
        models = {model.name: model for model in self.measured.report.models}
        return self.measured.job, models[self.score.model]


def table(reports: Sequence[Measured], only_main: bool = True) -> Table:
    """Return the table of reports; differences are those to the first model of the first report."""
    lines, found = _lines(reports), _by_column(_scored(reports, only_main))
    columns = _columns(found)
    places = {(job, _key(model)): number for number, (job, model, _) in enumerate(lines)}
    cells: dict[tuple[int, int], Cell] = {}
    for number, scores in enumerate(found.values()):
        # Of two scores of one model that was measured alike, the later one counts.
        by_line = {places[one.model[0], _key(one.model[1])]: one for one in scores}
        best = _best(by_line, columns[number].better)
        for line, one in by_line.items():
            difference = _difference(one, by_line[0]) if line and 0 in by_line else None
            cells[line, number] = Cell(one.measured.stage, one.score.estimate, line == best, difference)
    return Table(lines, columns, cells, tuple(_sentences(reports, cells.values())))


def heads(found: Table) -> list[str]:
    """Return the heads of the columns: title, which way is better, and n where it is the same for all models."""
    parts = [
        (column.title, DIRECTIONS[column.better], shared_count(found, number)) for number, column in enumerate(found.columns)
    ]
    return [" ".join(filter(None, part)) for part in parts]


def shared_count(found: Table, column: int) -> str:
    """Return on how many prompts all scores of a column rest; empty if that differs or some failed."""
    estimates = [cell.estimate for (_, number), cell in found.cells.items() if number == column]
    counts = {(estimate.count, estimate.failed) for estimate in estimates}
    return f"(n {estimates[0].count:,})" if len(counts) == 1 and not estimates[0].failed else ""


def _lines(reports: Sequence[Measured]) -> tuple[Line, ...]:
    models = {(one.job, _key(model)): (one.job, model) for one in reports for model in one.report.models}.values()
    several_jobs = len({one.job for one in reports}) > 1
    short = [_name(job if several_jobs else "", model) for job, model in models]
    return tuple(
        Line(job, model, name if short.count(name) == 1 else f"{name} {model.weights[:8]}")
        for name, (job, model) in zip(short, models, strict=True)
    )


def _key(model: MeasuredModel) -> str:
    return model.model_dump_json()


def _name(job: str, model: MeasuredModel) -> str:
    name = "/".join(filter(None, (job, model.name)))
    return f"{name} ({model.quantization})" if model.quantization not in (None, "None") else name


def _scored(reports: Sequence[Measured], only_main: bool) -> Iterable[_Scored]:
    for one in reports:
        tasks = {task.name: task for task in one.report.tasks}
        for score in one.report.scores:
            if score.is_main or not only_main:
                yield _Scored(one, tasks[score.task], score)


def _by_column(scores: Iterable[_Scored]) -> dict[tuple[str, str, str], list[_Scored]]:
    """Return the scores of each column: those of one task and metric that were measured alike."""
    found: dict[tuple[str, str, str], list[_Scored]] = {}
    for one in scores:
        found.setdefault((one.task.name, one.score.metric, kind_of(one.task)), []).append(one)
    return found


def _columns(found: Mapping[tuple[str, str, str], list[_Scored]]) -> tuple[Column, ...]:
    named = [(task, metric) for task, metric, _ in found]
    several_jobs = len({one.measured.job for scores in found.values() for one in scores}) > 1
    columns = []
    for (task, metric, _), scores in found.items():
        where = dict.fromkeys(
            f"{one.measured.job}/{one.measured.stage}" if several_jobs else one.measured.stage for one in scores
        )
        is_unlike = named.count((task, metric)) > 1
        title = f"{task} {metric}" + (f" in {', '.join(where)}" if is_unlike else "")
        first = scores[0]
        columns.append(Column(first.task, metric, first.score.better, first.score.is_main, title))
    return tuple(columns)


def _best(scores: Mapping[int, _Scored], better: Better) -> int | None:
    """Return the line whose score is the best beyond chance."""
    values = {line: one.score.estimate.value for line, one in scores.items()}
    ranked = sorted((line for line in values if values[line] is not None), key=lambda line: values[line] or 0.0)
    if better == "Neither" or len(ranked) < 2:
        return None
    first, second = ranked[:2] if better == "Lower" else (ranked[-1], ranked[-2])
    difference = _difference(scores[first], scores[second])
    return first if difference and is_beyond_chance(difference.estimate, better) else None


def _difference(one: _Scored, other: _Scored) -> Compared | None:
    if one.measured is other.measured:
        known = paired(one.measured.report, one.task.name, one.score.metric, one.score.model, other.score.model)
        if known:
            return known
    return unpaired(one.score.estimate, other.score.estimate)


def _sentences(reports: Sequence[Measured], cells: Iterable[Cell]) -> Iterable[str]:
    yield LEGEND
    yield from unlike_sentences([(one.job, one.stage, task) for one in reports for task in one.report.tasks])
    if any(cell.difference and not cell.difference.is_paired for cell in cells) and len(reports) > 1:
        yield UNPAIRED
    several_jobs = len({one.job for one in reports}) > 1
    for one in reports:
        where = f"{one.job}/{one.stage}" if several_jobs else one.stage
        yield from (f"{where}: {note}" for note in one.report.notes)
