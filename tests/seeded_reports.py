"""Two runs whose models are measured and exported, for the browser: an ablation with judges, and one with unlike settings."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from alignment_api import metrics
from alignment_api.home import Home
from alignment_api.results.evaluation import EvaluatedRow, EvaluationReport
from compared_jobs import dpo, job, sft
from mlflow import MlflowClient
from reported import exported, report, row

MODELS = ("base", "sft", "dpo-1", "dpo-3", "ddpo", "int8")
TASKS = {
    **{
        "arc": ("accuracy", 0.42, 0.06, 0.014),
        "gsm8k": ("exact_match", 0.18, 0.08, 0.011),
        "pairs": ("accuracy", 0.55, 0.11, 0.02),
    },
    **{
        "wikitext": ("perplexity", 9.4, 0.7, 0.21),
        "mt-bench": ("grade", 5.9, 1.2, 0.16),
        "alpaca": ("win_rate", 0.31, 0.22, 0.017),
    },
}
"""Metric, value of the base model, what training adds at most, and standard error."""
GAINS = {"base": 0.0, "sft": 0.5, "dpo-1": 0.85, "dpo-3": 1.0, "ddpo": 0.1, "int8": 0.98}
STUDY, OTHER = "study", "study-5-shot"
HOSTILE = "<img src=x onerror=alert(1)> **not bold** [no link](http://example.com) $x^2$ \u202etxet"
PANELS = (
    {
        **{
            "task": "alpaca",
            "judges": ["large", "small"],
            "agreement": 0.81,
            "agreement_count": 1610,
            "same_in_both_orders": 0.74,
        },
        **{"first_position": 0.54, "longer_wins": 0.61, "failures": {"Timeout": 3, "NoVerdict": 9}},
    },
    {"task": "mt-bench", "judges": ["large"], "grades": {"large dpo-3": 7.1, "large sft": 6.4}},
)


def write_reports(home: Home) -> None:
    """Write both runs with the files of their stages."""
    study = [
        *(sft(), {**dpo(5e-7), "name": "dpo-1"}, {**dpo(1e-6), "name": "dpo-3", "model": {"stage": "sft"}}),
        *(
            {**dpo(), "name": "ddpo", "model": {"base": True}},
            {"name": "int8", "export": {"quantization": "Int8"}, "model": {"stage": "dpo-3"}},
        ),
        _evaluate("eval", MODELS),
    ]
    _write_run(home, STUDY, study, {"eval": _study(), "int8": exported(model="dpo-3")}, {"arc": _rows(), "alpaca": _verdicts()})
    other = {
        ("arc", "accuracy", "sft"): (0.47, 0.015),
        ("arc", "accuracy", "dpo"): (0.5, 0.015),
        ("pairs", "accuracy", "dpo"): (0.64, 0.02),
    }
    alike = report(other, settings={"arc": {"benchmark": "arc_challenge", "few_shot": 5}}, notes=["pairs: 3 rows are cut."])
    _write_run(home, OTHER, [sft(), dpo(), _evaluate("eval", ("sft", "dpo"))], {"eval": alike}, {})


def _study() -> EvaluationReport:
    scores, differences = {}, {}
    for task, (metric, start, most, error) in TASKS.items():
        for model in MODELS:
            gain = (-1 if metric == "perplexity" else 1) * most * GAINS[model]
            scores[task, metric, model] = (start + gain, error)
            if model != "base":
                differences[task, metric, model] = (gain, error * 0.7)
    settings = {"arc": {"benchmark": "arc_challenge", "few_shot": 25}}
    return report(scores, differences, panels=PANELS, settings=settings, count=1172)


def _rows() -> dict[str, list[EvaluatedRow]]:
    draw = random.Random(0)
    known = {}
    for model in MODELS:
        right = [draw.random() < 0.42 + 0.06 * GAINS[model] for _ in range(120)]
        known[model] = [
            row(
                f"arc-{number}",
                float(is_right),
                prompt=f"Which gas do plants take up? (question {number})",
                reference="carbon dioxide",
            )
            for number, is_right in enumerate(right)
        ]
    return known


def _verdicts() -> dict[str, list[EvaluatedRow]]:
    draw = random.Random(1)
    return {
        model: [
            row(
                f"alpaca-{number}",
                None,
                prompt=f"Explain to a child why the sky is blue. ({number})\n\n{HOSTILE if number % 7 == 0 else ''}",
                answer=f"I am {model}. {HOSTILE} " + "Light scatters. " * draw.randrange(3, 40),
                scores={"win_rate": draw.choice([0.0, 0.5, 1.0])},
                reason="Both judges prefer the shorter answer.",
                details={"category": "science", "words": 40 + number},
            )
            for number in range(60)
        ]
        for model in MODELS
    }


def _evaluate(name: str, models: Sequence[str]) -> dict[str, Any]:
    measured = [{"base": True} if model == "base" else {"stage": model} for model in models]
    return {"name": name, "evaluate": {"models": measured, "tasks": [{"name": "arc", "benchmark": "arc_challenge"}]}}


def _write_run(
    home: Home, name: str, stages: list[dict[str, Any]], reports: dict[str, Any], rows: dict[str, dict[str, list[EvaluatedRow]]]
) -> None:
    now = datetime.now(UTC).isoformat()
    states = [
        {"name": stage["name"], "state": "Succeeded", "attempts": 1, "startTime": now, "completionTime": now} for stage in stages
    ]
    status = {
        "phase": "Succeeded",
        "currentStage": "eval",
        "progress": "100%",
        "startTime": now,
        "completionTime": now,
        "stages": states,
    }
    folder = home.job_folder("default", name)
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps(job(name, *stages, status=status, namespace="default").dump()))
    client, common = MlflowClient(home.tracking_uri), {metrics.JOB_TAG: name, metrics.JOB_UID_TAG: f"uid-{name}"}
    parent = client.create_run("1", tags=common).info.run_id
    for stage, known in reports.items():
        kind, place = ("evaluate", "evaluation") if isinstance(known, EvaluationReport) else ("export", "export")
        tags = {**common, metrics.PARENT_TAG: parent, metrics.STAGE_TAG: stage, metrics.KIND_TAG: kind}
        run = client.create_run("1", tags=tags).info.run_id
        client.log_text(run, known.model_dump_json(by_alias=True), f"{place}/report.json")
        for task, of_models in rows.items() if kind == "evaluate" else ():
            for model, lines in of_models.items():
                text = "".join(one.model_dump_json(by_alias=True) + "\n" for one in lines)
                client.log_text(run, text, f"evaluation/rows/{task}/{model}.jsonl")
        client.set_terminated(run)
