"""The scores of reports as records, one for each number, for CSV and JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alignment_api.results.evaluation import Estimate
from alignment_api.results.export import ExportReport, Fidelity, Limit
from alignment_api.results.proofs import Exported, size_ratio
from alignment_api.results.table import Cell, Column, Line, Measured, Table, table
from alignment_api.results.units import unit_of

FIELDS = (
    *("job", "stage", "model", "weights", "task", "metric", "unit", "better", "value", "error", "low", "high", "best"),
    *("prompts", "failed_prompts", "texts", "against", "against_weights"),
    *("difference_to", "difference", "difference_low", "difference_high", "paired"),
    *("limit", "limit_failed", "report", "settings"),
)
"""All fields of a record; one that does not apply is None. Scores of tasks rest on prompts, the proof of an export on texts."""

_LIMITED = {
    "maximumDivergence": "divergence",
    "minimumAgreement": "agreement",
    "maximumPerplexityIncrease": "perplexity_increase",
}
"""The metric that each limit of a proof is about."""


def score_records(reports: Sequence[Measured], against: str | None = None) -> list[dict[str, Any]]:
    """Return a record for each score, with its difference to one model: the named one, or the first."""
    found = table(reports, only_main=False, against=against)
    standings = {(one.job, one.stage): one.standing for one in reports}
    return [
        _whole(
            {
                **_of_score(found, found.lines[line], found.columns[place], one),
                "report": standings[found.lines[line].job, one.stage],
            }
        )
        for (line, place), cell in found.cells.items()
        for one in (*found.earlier.get((line, place), ()), cell)
    ]


def export_records(reports: Sequence[Exported]) -> list[dict[str, Any]]:
    """Return a record for each number of the exports: sizes, and how close original, rounded and written model are."""
    return [_whole(record) for one in reports for record in _of_export(one)]


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as a line of a CSV, where settings are JSON."""
    return {**record, "settings": json.dumps(record["settings"], ensure_ascii=False, sort_keys=True)}


def _of_score(found: Table, line: Line, column: Column, cell: Cell) -> dict[str, Any]:
    record = {
        **{"job": line.job, "stage": cell.stage, "model": line.model.name, "weights": line.model.weights},
        **{"task": column.task.name, "metric": column.metric, "better": column.better, "best": cell.is_best},
        **_estimate(cell.estimate),
        **{"prompts": cell.estimate.count, "failed_prompts": cell.estimate.failed},
        **({"against": column.against.name, "against_weights": column.against.weights} if column.against else {}),
        "settings": column.task.settings,
    }
    if cell.difference:
        ends = cell.difference.estimate
        record |= {
            "difference_to": found.lines[found.baseline].name,
            "difference": ends.value,
            "paired": cell.difference.is_paired,
        }
        record |= {"difference_low": ends.low, "difference_high": ends.high}
    return record


def _of_export(one: Exported) -> Iterable[dict[str, Any]]:
    report = one.report
    common: dict[str, Any] = {"job": one.job, "stage": one.stage, "task": "export", "report": one.standing}
    common |= {"settings": {"quantization": report.quantization, "tokens": report.tokens}}
    original = {**common, "model": report.model, "weights": report.weights}
    # What is only rounded is never written, so that no hash of it is known.
    rounded = {**common, "model": f"{report.model} in bf16", "weights": None}
    written = {**common, "model": one.stage, "weights": report.written_weights}
    for whose, metric, value in (
        (original, "bytes_before", report.before.all_bytes),
        (written, "bytes", report.after.all_bytes),
        (written, "size_ratio", size_ratio(report)),
        (original, "linear_bytes_before", report.before.linear_bytes),
        (written, "linear_bytes", report.after.linear_bytes),
    ):
        yield {**whose, "metric": metric, "better": "Lower", "value": value}
    for whose, fidelity in ((original, report.original), (rounded, report.rounded)):
        for metric, better, estimate in _measures(fidelity):
            yield {**whose, "metric": metric, "better": better, **_of_texts(estimate)}
    yield from _of_written(written, report)


def _of_written(written: dict[str, Any], report: ExportReport) -> Iterable[dict[str, Any]]:
    limits = {_LIMITED.get(one.name, one.name): one for one in report.limits}
    for metric, better, estimate in _measures(report.written):
        yield {**written, "metric": metric, "better": better, **_of_texts(estimate), **_limit(limits.pop(metric, None))}
    for metric, one in limits.items():
        yield {**written, "metric": metric, "value": one.figure, **_limit(one)}


def _measures(found: Fidelity | None) -> Iterable[tuple[str, str, Estimate]]:
    if found:
        measures = (("perplexity", "Lower", found.perplexity), ("divergence", "Lower", found.divergence))
        yield from ((name, better, estimate) for name, better, estimate in measures if estimate)
        if found.agreement:
            yield "agreement", "Higher", found.agreement


def _limit(one: Limit | None) -> dict[str, Any]:
    return {"limit": one.limit, "limit_failed": one.is_broken} if one else {}


def _estimate(found: Estimate) -> dict[str, Any]:
    return {"value": found.value, "error": found.error, "low": found.low, "high": found.high}


def _of_texts(found: Estimate) -> dict[str, Any]:
    return {**_estimate(found), "texts": found.count}


def _whole(record: dict[str, Any]) -> dict[str, Any]:
    known = {**record, "unit": unit_of(record["metric"])}
    return {field: known.get(field) for field in FIELDS}
