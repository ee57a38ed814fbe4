"""Writes reports and rows for people and for programs."""

import csv
import io
import json
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from alignment_api.results.collected import Reports
from alignment_api.results.grids import Grid, grids, parts
from alignment_api.results.judges import panel_sentence
from alignment_api.results.proofs import broken_limits, proof_sentences
from alignment_api.results.records import FIELDS, export_records, flat, score_records
from alignment_api.results.table import Table as ScoreTable
from alignment_api.results.table import model_lines, table
from alignment_api.results.written import DIRECTIONS, write_number
from rich.table import Table
from rich.text import Text

from alignment_operator.deciding.untrusted import without_controls
from alignment_operator.machine.row_differences import RowDifferences
from alignment_operator.machine.terminal import Printer
from alignment_operator.progress.tracked_reports import NoResults

_WIDTH_OF_FILES = 200
_LONGEST_CELL = 160
_SHOWN_ROWS = 20
_ROW_FIELDS = ("key", "row", "difference", "first_score", "second_score", "prompt", "reference", "first_answer", "second_answer")


def write_reports(found: Reports, form: str, against: str | None = None) -> str:
    """Write all tables of a job, with the sentences that one must know to read them, and differences to one model."""
    names = [line.name for line in model_lines(found.evaluations)]
    if against is not None and against not in names:
        raise NoResults(f"no report has a model {against!r}; name one of {', '.join(names) or 'a job that has evaluated'}")
    shown = table(found.evaluations, against=against)
    if form in ("csv", "json"):
        records = [*score_records(found.evaluations, against), *export_records(found.exports)]
        if form == "csv":
            return _csv(FIELDS, [flat(record) for record in records])
        return _json({"scores": records, "notes": _sentences(found, shown)})
    return _written(grids(shown, found.exports), _sentences(found, shown), form)


def write_rows(found: RowDifferences, form: str) -> str:
    """Write the rows in which two models differ."""
    records = [
        {
            **{
                "key": first.key,
                "row": first.row,
                "difference": difference,
                "prompt": first.prompt,
                "reference": first.reference,
            },
            **{"first_score": first.scores.get(found.metric), "second_score": second.scores.get(found.metric)},
            **{"first_answer": first.answer, "second_answer": second.answer},
        }
        for first, second, difference in found.pairs
    ]
    if form == "csv":
        return _csv(_ROW_FIELDS, records)
    if form == "json":
        return _json(
            {
                **{"task": found.task, "metric": found.metric, "better": found.better, "models": found.models},
                **{"failed": found.failed, "notes": _row_sentences(found), "rows": records},
            }
        )
    return _written([_row_grid(found, records)], _row_sentences(found), form)


def _row_grid(found: RowDifferences, records: Sequence[dict[str, Any]]) -> Grid:
    first, second = found.models
    heads = ("row", f"{second} − {first}", "prompt", first, second)
    lines = [
        (
            *(_short(one["row"]), write_number(one["difference"], "+"), _short(one["prompt"])),
            *(f"{write_number(one[f'{place}_score'])}  {_short(one[f'{place}_answer'])}" for place in ("first", "second")),
        )
        for one in records[:_SHOWN_ROWS]
    ]
    return Grid(f"{found.task}, {found.metric} {DIRECTIONS[found.better]}".rstrip(), heads, tuple(lines))


def _row_sentences(found: RowDifferences) -> list[str]:
    count = len(found.pairs)
    shown = f"; these are the first {_SHOWN_ROWS}, --format csv has all" if count > _SHOWN_ROWS else ""
    differing = f"{found.models[0]} and {found.models[1]} differ in {count:,} rows of {found.task}{shown}."
    failed = f"In {found.failed:,} rows one of them has no {found.metric}, so that these cannot be compared."
    return [*filter(None, [found.sign]), differing, *([failed] if found.failed else [])]


def _sentences(found: Reports, shown: ScoreTable) -> list[str]:
    of_table = shown.sentences if found.evaluations else ()
    panels = [panel_sentence(panel) for one in found.evaluations for panel in one.report.panels]
    return [*found.signs(), *broken_limits(found.exports), *of_table, *panels, *proof_sentences(found.exports)]


def _written(known: Sequence[Grid], sentences: Sequence[str], form: str) -> str:
    if form == "markdown":
        tables = [_markdown(grid) for grid in known]
    else:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH_OF_FILES
        tables = [_text(part, width) for grid in known for part in parts(grid, width)]
    ends = "".join(
        f"- {_escaped(sentence)}\n" if form == "markdown" else f"{without_controls(sentence)}\n" for sentence in sentences
    )
    return "\n".join([*tables, ends])


def _text(grid: Grid, width: int) -> str:
    shown = Table(title=without_controls(grid.title), title_justify="left")
    for number, head in enumerate(grid.heads):
        shown.add_column(Text(without_controls(head)), overflow="fold", justify="right" if number else "left")
    for line in grid.lines:
        shown.add_row(*(Text(without_controls(cell)) for cell in line))
    written = io.StringIO()
    Printer(file=written, width=width, no_color=True).print(shown)
    return written.getvalue()


def _markdown(grid: Grid) -> str:
    rows = [grid.heads, ("---", *("---:" for _ in grid.heads[1:])), *grid.lines]
    lines = "".join(
        f"| {' | '.join(cell if number == 1 else _escaped(cell) for cell in row)} |\n" for number, row in enumerate(rows)
    )
    return f"### {_escaped(grid.title)}\n\n{lines}"


def _escaped(text: str) -> str:
    """Write a text so that markdown shows it as it is."""
    return "".join(f"\\{sign}" if sign in "\\`*_[]<>|#&~$" else sign for sign in without_controls(text))


def _cleaned(value: object) -> object:
    return without_controls(value, kept="\n\t") if isinstance(value, str) else value


def _short(text: object) -> str:
    line = " ".join(str("" if text is None else text).split())
    return line if len(line) <= _LONGEST_CELL else f"{line[: _LONGEST_CELL - 1]}…"


def _csv(fields: Sequence[str], records: Sequence[dict[str, Any]]) -> str:
    """Write records; texts keep their line breaks, which CSV quotes, and lose what a terminal would interpret."""
    written = io.StringIO()
    writer = csv.DictWriter(written, fields, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cleaned(value) for name, value in record.items()} for record in records)
    return written.getvalue()


def _json(found: dict[str, Any]) -> str:
    text = json.dumps(found, indent=1, ensure_ascii=False)
    return "".join(sign if sign.isprintable() or sign == "\n" else json.dumps(sign)[1:-1] for sign in text) + "\n"
