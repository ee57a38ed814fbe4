"""The table of what models reached: models by tasks, over one or several reports; only what was measured alike is ranked."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from alignment_api.results.differences import (
    Compared,
    Pair,
    identity,
    is_beyond_chance,
    paired_differences,
    relative_to,
    unpaired,
)
from alignment_api.results.evaluation import Better, Estimate, EvaluationReport, MeasuredModel, MeasuredTask, Score
from alignment_api.results.standing import Standing
from alignment_api.results.units import unit_sentence
from alignment_api.results.unlike import kind_of, unlike_sentences
from alignment_api.results.written import DIRECTIONS, write_prompts

STAR = "★"
LEGEND = (
    f"{DIRECTIONS['Higher']} means that higher is better, {DIRECTIONS['Lower']} that lower is. ± is the standard error over "
    "prompts; rows of one prompt, such as the turns of a dialogue, count as one. A difference stands before its 95 % interval. "
    f"{STAR} marks the best of a column where its difference to the next best exceeds that interval."
)
UNPAIRED = (
    "Two models that no report has together are compared as if their rows had nothing in common, so the intervals of these "
    "differences are wider than those within one report."
)
LATER = "Where several stages measured a model alike, the score of the last of them is shown; CSV and JSON have all."


class Measured(NamedTuple):
    """The report of one evaluate stage."""

    job: str
    stage: str
    report: EvaluationReport
    standing: Standing = "Final"


class Line(NamedTuple):
    """A model."""

    job: str
    model: MeasuredModel
    name: str
    """Unique within the table."""


class Column(NamedTuple):
    """One metric of one task, as it was measured with the same settings, against the same weights."""

    task: MeasuredTask
    metric: str
    better: Better
    is_main: bool
    against: MeasuredModel | None
    """The model that its scores are relative to."""
    title: str
    """Unique within the table."""


class Cell(NamedTuple):
    """The score of one model."""

    stage: str
    estimate: Estimate
    is_best: bool
    difference: Compared | None
    """To the baseline of the table; None in its own line, and where it has no score."""


class Table(NamedTuple):
    """All scores; a cell that is missing was not measured."""

    lines: tuple[Line, ...]
    baseline: int
    """The line to which differences are taken."""
    columns: tuple[Column, ...]
    cells: Mapping[tuple[int, int], Cell]
    """By the numbers of line and column."""
    earlier: Mapping[tuple[int, int], tuple[Cell, ...]]
    """Scores that are not in the cells, since a later stage measured the same model alike."""
    sentences: tuple[str, ...]
    """What one must know to read it."""


_Key = tuple[str, str, str | None, str]
"""Of a column: task, metric, the weights that its scores are relative to, and how the task was measured."""


class _Scored(NamedTuple):
    """A score with the report and the task that it belongs to."""

    report: int
    """The number of the report."""
    measured: Measured
    task: MeasuredTask
    kind: str
    """How the task was measured."""
    model: MeasuredModel
    score: Score


_Paired = Sequence[Mapping[Pair, Estimate]]
"""The paired differences of each report."""


def table(reports: Sequence[Measured], only_main: bool = True, against: str | None = None) -> Table:
    """Return the table of reports, with differences to one model; if none is named, to the first one of the first report."""
    lines, found = model_lines(reports), _by_column(_scored(reports, only_main))
    baseline = next((number for number, line in enumerate(lines) if against in (None, line.name)), 0)
    columns, known = _columns(found), [paired_differences(one.report) for one in reports]
    places = {(line.job, _key(line.model)): number for number, line in enumerate(lines)}
    cells: dict[tuple[int, int], Cell] = {}
    earlier: dict[tuple[int, int], tuple[Cell, ...]] = {}
    for number, scores in enumerate(found.values()):
        by_line = _by_line(scores, places)
        last = {line: of_line[-1] for line, of_line in by_line.items()}
        best = _best(last, columns[number].better, known)
        for line, of_line in by_line.items():
            first = last.get(baseline) if line != baseline else None
            *before, cells[line, number] = (_cell(one, first, line == best and one is last[line], known) for one in of_line)
            if before:
                earlier[line, number] = tuple(before)
    return Table(lines, baseline, columns, cells, earlier, tuple(_sentences(reports, columns, cells.values(), bool(earlier))))


def _cell(one: _Scored, first: _Scored | None, is_best: bool, known: _Paired) -> Cell:
    difference = _difference(one, first, known) if first else None
    return Cell(one.measured.stage, one.score.estimate, is_best, difference)


def model_lines(reports: Sequence[Measured]) -> tuple[Line, ...]:
    """Return the lines of the table of reports: each model once."""
    models = {(one.job, _key(model)): (one.job, model) for one in reports for model in one.report.models}.values()
    several_jobs = len({one.job for one in reports}) > 1
    short = [_name(job if several_jobs else "", model) for job, model in models]
    return tuple(
        Line(job, model, name if short.count(name) == 1 else f"{name} {model.weights[:8]}")
        for name, (job, model) in zip(short, models, strict=True)
    )


def heads(found: Table) -> list[str]:
    """Return the heads of the columns: title, which way is better, and how many prompts where all models have as many."""
    counts = (shared_count(found, number) for number in range(len(found.columns)))
    return [" ".join(filter(None, (head, count))) for head, count in zip(directed_heads(found), counts, strict=True)]


def directed_heads(found: Table) -> list[str]:
    """Return the titles of the columns, and which way is better."""
    return [f"{column.title} {DIRECTIONS[column.better]}".rstrip() for column in found.columns]


def shared_count(found: Table, column: int) -> str:
    """Return on how many prompts all scores of a column rest; empty if that differs or some failed."""
    places = ((line, column) for line in range(len(found.lines)))
    estimates = [found.cells[place].estimate for place in places if place in found.cells]
    counts = {(estimate.count, estimate.failed) for estimate in estimates}
    return f"({write_prompts(estimates[0].count)})" if len(counts) == 1 and not estimates[0].failed else ""


def _key(model: MeasuredModel) -> str:
    return model.model_dump_json()


def _name(job: str, model: MeasuredModel) -> str:
    name = "/".join(filter(None, (job, model.name)))
    return f"{name} ({model.quantization})" if model.quantization not in (None, "None") else name


def _scored(reports: Sequence[Measured], only_main: bool) -> Iterable[_Scored]:
    for number, one in enumerate(reports):
        tasks = {task.name: (task, kind_of(task)) for task in one.report.tasks}
        models = {model.name: model for model in one.report.models}
        for score in one.report.scores:
            if score.is_main or not only_main:
                yield _Scored(number, one, *tasks[score.task], models[score.model], score)


def _by_column(scores: Iterable[_Scored]) -> dict[_Key, list[_Scored]]:
    """Return the scores of each column: those of one task and metric that were measured alike, against the same weights.

    Columns of one task and metric stand side by side.
    """
    found: dict[_Key, list[_Scored]] = {}
    for one in scores:
        found.setdefault((one.task.name, one.score.metric, relative_to(one.score), one.kind), []).append(one)
    places = {key: place for place, key in enumerate(dict.fromkeys(key[:2] for key in found))}
    return dict(sorted(found.items(), key=lambda item: places[item[0][:2]]))


def _by_line(scores: Iterable[_Scored], places: Mapping[tuple[str, str], int]) -> dict[int, list[_Scored]]:
    """Return the scores of a column by the number of their line; of those of one model the last one counts."""
    found: dict[int, list[_Scored]] = {}
    for one in scores:
        found.setdefault(places[one.measured.job, _key(one.model)], []).append(one)
    return found


def _columns(found: Mapping[_Key, list[_Scored]]) -> tuple[Column, ...]:
    short = _short_titles([scores[0].score for scores in found.values()])
    several_jobs = len({one.measured.job for scores in found.values() for one in scores}) > 1
    columns = []
    for title, scores in zip(short, found.values(), strict=True):
        where = dict.fromkeys(
            f"{one.measured.job}/{one.measured.stage}" if several_jobs else one.measured.stage for one in scores
        )
        whole = title + (f" in {', '.join(where)}" if short.count(title) > 1 else "")
        first = scores[0].score
        columns.append(Column(scores[0].task, first.metric, first.better, first.is_main, first.against, whole))
    return tuple(columns)


def _short_titles(scores: Sequence[Score]) -> list[str]:
    """Return what tells columns apart, except for their settings: two models of one name also by their weights."""
    names = [name for name, _ in {(one.against.name, one.against.weights) for one in scores if one.against}]
    return [f"{one.task} {one.metric}{_against(one.against, names)}" for one in scores]


def _against(model: MeasuredModel | None, names: Sequence[str]) -> str:
    if model is None:
        return ""
    return f" against {model.name}" + (f" {model.weights[:8]}" if names.count(model.name) > 1 else "")


def _best(scores: Mapping[int, _Scored], better: Better, known: _Paired) -> int | None:
    """Return the line whose score is the best beyond chance."""
    values = {line: one.score.estimate.value for line, one in scores.items()}
    ranked = sorted((line for line in values if values[line] is not None), key=lambda line: values[line] or 0.0)
    if better == "Neither" or len(ranked) < 2:
        return None
    first, second = ranked[:2] if better == "Lower" else (ranked[-1], ranked[-2])
    difference = _difference(scores[first], scores[second], known)
    return first if difference and is_beyond_chance(difference.estimate, better) else None


def _difference(one: _Scored, other: _Scored, known: _Paired) -> Compared | None:
    """Return the paired difference of a report that has both models: of their own reports first, then of the last one."""
    pair = Pair(one.task.name, one.score.metric, one.kind, relative_to(one.score), identity(one.model), identity(other.model))
    for of_report in (known[one.report], known[other.report], *reversed(known)):
        if pair in of_report:
            return Compared(of_report[pair], is_paired=True)
    return unpaired(one.score.estimate, other.score.estimate)


def _sentences(reports: Sequence[Measured], columns: Iterable[Column], cells: Iterable[Cell], has_earlier: bool) -> Iterable[str]:
    yield LEGEND
    if units := unit_sentence(column.metric for column in columns):
        yield units
    yield from unlike_sentences([(one.job, one.stage, task) for one in reports for task in one.report.tasks])
    if any(cell.difference and not cell.difference.is_paired for cell in cells) and len(reports) > 1:
        yield UNPAIRED
    if has_earlier:
        yield LATER
    several_jobs = len({one.job for one in reports}) > 1
    for one in reports:
        where = f"{one.job}/{one.stage}" if several_jobs else one.stage
        yield from (f"{where}: {note}" for note in one.report.notes)
