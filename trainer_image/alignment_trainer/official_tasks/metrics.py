"""What a task's rows are scored by, which way is better, and which metric stands for the task."""

from typing import Any, Literal, NamedTuple

from alignment_api.results.evaluation import Better

from alignment_trainer.official_tasks.members import Task
from alignment_trainer.official_tasks.packaged import Function

Kind = Literal["Mean", "Perplexity", "Bits", "Combined"]
"""How the rows of a metric become one number; Combined: in a way of its own, from all rows at once."""

_USUAL = {
    "loglikelihood": ("perplexity", "acc"),
    "loglikelihood_rolling": ("word_perplexity", "byte_perplexity", "bits_per_byte"),
    "multiple_choice": ("acc", "acc_norm"),
    "generate_until": ("exact_match",),
}
"""The metrics of a task that names none."""
_AGGREGATIONS: dict[str, Kind] = {
    "mean": "Mean",
    "nanmean": "Mean",
    "perplexity": "Perplexity",
    "weighted_perplexity": "Perplexity",
    "bits_per_byte": "Bits",
}
_KINDS: dict[str, Kind] = {
    "perplexity": "Perplexity",
    "word_perplexity": "Perplexity",
    "byte_perplexity": "Perplexity",
    "bits_per_byte": "Bits",
    **dict.fromkeys(("brier_score", "mcc", "f1", "bleu", "chrf", "chrf++", "ter", "likelihood"), "Combined"),
}
"""Of metrics whose aggregation a task leaves to lm-eval; all others are means."""
_LOWER = ("perplexity", "word_perplexity", "byte_perplexity", "bits_per_byte", "brier_score", "ter")
_LENGTH_NORMALIZED = "acc_norm"
NO_FILTER = "none"


class Metric(NamedTuple):
    """One metric of a task."""

    name: str
    kind: Kind
    better: Better


def metrics_of(task: Task) -> list[Metric]:
    """Return the metrics of a task, in its order."""
    settings = task.settings
    named = settings.get("metric_list") or [{"metric": name} for name in _USUAL.get(_output_of(settings), ())]
    return [_metric(one) for one in named]


def metric_named(task: Task, scored: str) -> Metric:
    """Return the metric behind a name in the rows' scores; a task's own function may score what it does not list."""
    name = scored.partition(".")[0]
    return next((metric for metric in metrics_of(task) if metric.name == name), Metric(name, "Mean", "Higher"))


def scored_as(metric: str, of_filter: str) -> str:
    """Return the name of a metric in the rows' scores; of a task that reads its answers in several ways, with that way."""
    return metric if of_filter == NO_FILTER else f"{metric}.{of_filter}"


def scored_names(task: Task) -> list[str]:
    """Return the names of a task's metrics in the rows' scores."""
    return [scored_as(metric.name, name) for metric in metrics_of(task) for name in _filters(task)]


def main_metric(task: Task) -> str:
    """Return the metric that tables show: accuracy by length if the task has it, as the leaderboard does, or else the first."""
    names = [metric.name for metric in metrics_of(task) if metric.kind != "Combined"]
    name = _LENGTH_NORMALIZED if _LENGTH_NORMALIZED in names else names[0]
    return scored_as(name, _filters(task)[0])


def _filters(task: Task) -> list[str]:
    return [str(one["name"]) for one in task.settings.get("filter_list") or [{"name": NO_FILTER}]]


def _output_of(settings: dict[str, Any]) -> str:
    return str(settings.get("output_type", "generate_until"))


def _metric(named: dict[str, Any]) -> Metric:
    name = named["metric"].name if isinstance(named["metric"], Function) else str(named["metric"])
    aggregation = named.get("aggregation")
    kind = _KINDS.get(name, "Mean") if aggregation is None else _AGGREGATIONS.get(str(aggregation), "Combined")
    is_higher = named.get("higher_is_better", name not in _LOWER)
    return Metric(name, kind, "Higher" if is_higher else "Lower")
