"""The columns of the list of runs: their names in the address, how each is typed, and which appear by themselves."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

from alignment_api.resolving.parameters import MODEL, SEED, STAGES, Value

from alignment_dashboard.facts.configuration import differing
from alignment_dashboard.facts.run_list.row import METRICS, Row

Kind = Literal["link", "status", "text", "percent", "moment", "number", "curve"]
VARYING_SHOWN = 6
"""So many parameters appear by themselves; the others can be chosen."""


class Column(NamedTuple):
    """A column; its kind decides how it is drawn, and that it sorts as what it is."""

    name: str
    label: str
    kind: Kind
    help: str | None = None


RUN, STATUS, CURVE, NAMESPACE, COUNT, GPU_HOURS = "run", "status", "curve", "namespace", "n", "gpu-hours"
PLAIN = "%.6g"
SMALL = 1e-3
"""A column with a number below it is written in scientific notation: 5e-7 beside 0.000001 is hard to compare."""

DEVIATION = " sd"
"""Ends the name of a column with the standard deviation of another column."""

FIXED = {
    column.name: column
    for column in (
        Column(RUN, "Run", "link"),
        Column(STATUS, "Status", "status"),
        Column(STAGES, "Stages", "text"),
        Column("progress", "Progress", "percent", "Share of all stages that is done"),
        Column("ends", "Ends", "moment", "When the last of the current stages should end"),
        Column("eval.accuracy", "Eval acc.", "number", "eval.accuracy: latest reward accuracy on the holdout pairs"),
        Column("eval.margin", "Eval margin", "number", "eval.margin: latest reward margin on the holdout pairs"),
        Column("eval.loss", "Eval loss", "number", "eval.loss: latest loss on the holdout rows"),
        Column("loss", "Train loss", "number", "loss: latest loss in training"),
        Column("train.accuracy", "Train acc.", "number", "train.accuracy: latest reward accuracy in training"),
        Column("train.margin", "Train margin", "number", "train.margin: latest reward margin in training"),
        Column(CURVE, "Loss curve", "curve", "Training loss of the stage that started last"),
        Column(GPU_HOURS, "GPU-h", "number", "GPU time of all ended attempts"),
        Column("started", "Started", "moment", "When the first stage started"),
        Column(MODEL, "Model", "text"),
        Column(NAMESPACE, "Namespace", "text"),
        Column("reason", "Message", "text", "What the operator last said about the run"),
    )
}
"""The columns that every list can have."""

_BEFORE = (RUN, STATUS, STAGES, "progress", "ends")
_MEASURED = ("eval.accuracy", "eval.margin", "loss", "train.accuracy", "train.margin", CURVE)
_AFTER = (GPU_HOURS, "started", MODEL)


def available(rows: Sequence[Row]) -> list[str]:
    """Return the names of all columns that the rows can fill."""
    parameters = dict.fromkeys(name for row in rows for name in row.parameters if name not in FIXED)
    return [*FIXED, *sorted(parameters)]


def varying(rows: Sequence[Row]) -> list[str]:
    """Return the parameters that differ among the rows and have a column of their own, the most telling first."""
    return [name for name in differing([row.parameters for row in rows]) if name not in FIXED]


def automatic(rows: Sequence[Row], varied: Sequence[str]) -> list[str]:
    """Return the columns that appear by themselves: those that some run fills, and the first of the varied parameters."""
    namespaces = [NAMESPACE] if len({row.namespace for row in rows}) > 1 else []
    before = [name for name in _BEFORE if name != "ends" or any(row.ends for row in rows)]
    return [*before, *varied[:VARYING_SHOWN], *_measured(rows), *_AFTER, *namespaces]


def number_format(name: str, values: Sequence[float]) -> str:
    """Return how the numbers of a column are written: measured ones with the same decimals, for points in line."""
    if name.removesuffix(DEVIATION) in METRICS:
        return "%.4f"
    if name == GPU_HOURS:
        return "%.1f"
    small = any(0 < abs(value) < SMALL for value in values)
    return f"%.{_digits(values)}e" if small else PLAIN


def _digits(values: Sequence[float]) -> int:
    """Return how many decimals in scientific notation show every value exactly, at most three."""
    return next((digits for digits in range(3) if all(float(f"{value:.{digits}e}") == value for value in values)), 3)


def of_groups(rows: Sequence[Row], varied: Sequence[str]) -> list[str]:
    """Return the columns of a list of groups: the varied parameters, and each metric beside its deviation."""
    settings = [name for name in varied if name != SEED]
    measured = [name for name in METRICS if any(name in row.metrics for row in rows)]
    return [RUN, COUNT, *settings, *(part for name in measured for part in (name, name + DEVIATION))]


def column(name: str, among: Iterable[str] = ()) -> Column:
    """Return a column; a parameter is called without its stage where no other shown one has the same last part."""
    if name in FIXED:
        return FIXED[name]
    if name == COUNT:
        return Column(
            name, "Runs", "text", "So many of the runs that differ only in the seed have succeeded: the means are theirs"
        )
    if name.endswith(DEVIATION):
        measured = FIXED[name.removesuffix(DEVIATION)].label
        return Column(name, "± sd", "number", f"Standard deviation of {measured} over the runs of a group")
    short = name.rpartition(".")[2]
    twins = [other for other in among if other.rpartition(".")[2] == short]
    return Column(name, short if len(twins) < 2 else name, "text", f"Parameter {name}")


def sorts(rows: Sequence[Row], varied: Sequence[str]) -> list[str]:
    """Return what a list can be sorted by, as in the address; an empty text is its usual order."""
    names = dict.fromkeys([*automatic(rows, varied), *available(rows)])
    return ["", *(f"{sign}{name}" for name in names if name != CURVE for sign in ("-", ""))]


def groupings(varied: Sequence[str]) -> list[str]:
    """Return the parameters by which groups can be sorted."""
    return [name for name in varied[:VARYING_SHOWN] if name != SEED]


_OWN: dict[str, Callable[[Row], object]] = {
    STAGES: lambda row: row.stages,
    "progress": lambda row: row.percent,
    "ends": lambda row: row.ends,
    GPU_HOURS: lambda row: row.gpu_hours,
    "started": lambda row: row.started,
    MODEL: lambda row: row.model,
    NAMESPACE: lambda row: row.namespace,
    "reason": lambda row: row.reason,
    RUN: lambda row: row.name,
    STATUS: lambda row: row.phase,
}


def value_of(row: Row, name: str) -> Value | object | None:
    """Return what a row has in a column."""
    if name in METRICS:
        return row.metrics.get(name)
    return _OWN[name](row) if name in _OWN else row.parameters.get(name)


def sort(rows: Sequence[Row], by: str | None) -> list[Row]:
    """Return the rows sorted by a column, -column for descending; rows without a value, or with NaN, come last."""
    if not by:
        return list(rows)
    name = by.removeprefix("-")
    known = [row for row in rows if _has_order(value_of(row, name))]
    ordered = sorted(known, key=lambda row: _comparable(value_of(row, name)), reverse=by.startswith("-"))
    return ordered + [row for row in rows if not _has_order(value_of(row, name))]


def _has_order(value: object) -> bool:
    return value is not None and not is_nan(value)


def is_nan(value: object) -> bool:
    """Return whether a value is NaN, which is a value but has no place in an order."""
    return isinstance(value, float) and math.isnan(value)


def _comparable(value: object) -> tuple[bool, object]:
    return (True, value.lower()) if isinstance(value, str) else (False, value)


def _measured(rows: Sequence[Row]) -> list[str]:
    """Return the measured columns; one that no shown run has would only take room."""
    return [name for name in _MEASURED if name == CURVE or any(name in row.metrics for row in rows)]
