"""Reports of evaluate and export stages as trainers write them, with scores that a test names."""

from collections.abc import Mapping, Sequence
from typing import Any

from alignment_api.results.evaluation import EvaluatedRow, EvaluationReport
from alignment_api.results.export import ExportReport

DIRECTIONS = {"perplexity": "Lower", "length": "Neither"}
Scored = Mapping[tuple[str, str, str], tuple[float | None, float | None]]
"""Value and standard error by task, metric and model."""


def estimate(value: float | None, error: float | None = None, count: int = 100, failed: int = 0) -> dict[str, Any]:
    """Return an estimate with the interval of a normal distribution."""
    found: dict[str, Any] = {"value": value, "error": error, "count": count, "failed": failed}
    if value is not None and error is not None:
        found |= {"low": value - 1.959964 * error, "high": value + 1.959964 * error}
    return found


def report(
    scores: Scored,
    differences: Scored | None = None,
    against: str = "base",
    settings: Mapping[str, dict[str, Any]] | None = None,
    panels: Sequence[dict[str, Any]] = (),
    notes: Sequence[str] = (),
    weights: Mapping[str, str] | None = None,
    side: Sequence[str] = (),
    count: int = 100,
    relative_to: tuple[str, str] | None = None,
) -> EvaluationReport:
    """Return a report of all models and tasks that the scores name; all metrics but those in `side` are main ones.

    `relative_to` is name and weights of the model that all scores are relative to.
    """
    other = dict(zip(("name", "weights"), relative_to, strict=True)) if relative_to else None
    models, tasks = dict.fromkeys(model for _, _, model in scores), dict.fromkeys(task for task, _, _ in scores)
    return EvaluationReport.model_validate(
        {
            "models": [{"name": name, "weights": (weights or {}).get(name, f"hash-of-{name}")} for name in models],
            "tasks": [
                {"name": name, "measure": "MultipleChoice", "rows": count, "settings": (settings or {}).get(name, {"seed": 0})}
                for name in tasks
            ],
            "scores": [
                {
                    **{"task": task, "metric": metric, "model": model, "better": DIRECTIONS.get(metric, "Higher")},
                    **{"is_main": metric not in side, "estimate": estimate(*scored, count=count), "against": other},
                }
                for (task, metric, model), scored in scores.items()
            ],
            "differences": [
                {"task": task, "metric": metric, "model": model, "against": against, "estimate": estimate(*scored)}
                for (task, metric, model), scored in (differences or {}).items()
            ],
            "panels": list(panels),
            "notes": list(notes),
        }
    )


def row(key: str, score: float | None, **others: Any) -> EvaluatedRow:
    """Return an evaluated row with one score, accuracy."""
    return EvaluatedRow.model_validate(
        {"key": key, "row": key, "prompt": f"Prompt {key}", "scores": {"accuracy": score}, **others}
    )


def exported(**others: Any) -> ExportReport:
    """Return the report of an export in int8 that costs little."""
    return ExportReport.model_validate(
        {
            **{"quantization": "Int8", "model": "dpo", "weights": "a", "written_weights": "b", "output": "workspace://out/model"},
            "before": {"all_bytes": 2_778_000, "linear_bytes": 2_400_000, "dtypes": {"F32": 30}},
            "after": {"all_bytes": 836_000, "linear_bytes": 600_000, "dtypes": {"I8": 20, "F32": 10}},
            "original": {"perplexity": estimate(2.3321, 0.0412)},
            "rounded": {
                **{"perplexity": estimate(2.3322, 0.0412), "divergence": estimate(1e-5, 2e-6)},
                "agreement": estimate(0.995, 0.001),
            },
            "written": {
                **{"perplexity": estimate(2.334, 0.0413), "divergence": estimate(0.0123, 0.0021)},
                "agreement": estimate(0.993, 0.0012),
            },
            **{"tokens": 4096, "ends_its_answers": True, "notes": ["Loading needs bitsandbytes."]},
            **others,
        }
    )
