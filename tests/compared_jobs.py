"""Small jobs for the tests of comparisons."""

from typing import Any

from alignment_api.spec.job import AlignmentJob

STAGE = "dpo"
_SERVER = {"baseUrl": "http://teacher/v1", "model": "teacher"}
_PROMPTS = [{"uri": "workspace://questions.jsonl"}]


def sft(**settings: Any) -> dict[str, Any]:
    """Return an SFT stage."""
    return {"name": "sft", "sft": {"datasets": [{"uri": "workspace://chats.jsonl"}]} | settings}


def dpo(rate: float = 5e-7, seed: int = 1, **settings: Any) -> dict[str, Any]:
    """Return a DPO stage."""
    optimization = {"learningRate": rate, "seed": seed}
    return {"name": "dpo", "dpo": {"datasets": [{"uri": "workspace://pairs.jsonl"}], "optimization": optimization} | settings}


def evaluate(*models: str) -> dict[str, Any]:
    """Return a stage that measures models: base, or those of stages."""
    measured = [{"base": True} if model == "base" else {"stage": model} for model in models]
    return {"name": "eval", "evaluate": {"models": measured, "tasks": [{"name": "arc", "benchmark": "arc_easy"}]}}


def export() -> dict[str, Any]:
    """Return a stage that writes a model in int8."""
    return {"name": "int8", "export": {"quantization": "Int8"}}


def distill() -> dict[str, Any]:
    """Return a stage in which a teacher answers prompts."""
    return {"name": "distill", "distill": {"teachers": [_SERVER], "prompts": _PROMPTS}}


def feedback() -> dict[str, Any]:
    """Return a stage in which a judge scores answers."""
    return {"name": "feedback", "feedback": {"responders": [{"endpoint": _SERVER}], "judge": _SERVER, "prompts": _PROMPTS}}


def job(name: str, *stages: dict[str, Any], status: dict[str, Any] | None = None, **metadata: str) -> AlignmentJob:
    """Make a job; one DPO stage if none is given."""
    document: dict[str, Any] = {
        "apiVersion": "alignment-operator.dev/v1alpha1",
        "kind": "AlignmentJob",
        "metadata": {"name": name, "uid": f"uid-{name}"} | metadata,
        "spec": {"model": {"uri": "workspace://model"}, "stages": list(stages) or [dpo()]},
    }
    return AlignmentJob.parse_stored(document | ({"status": status} if status else {}))
