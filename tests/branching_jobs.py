"""Jobs whose stages branch, for tests."""

from typing import Any

from alignment_api.spec.job import AlignmentJob
from alignment_operator.deciding.observation import Child
from builders import a_child, a_job, a_training

_ENDPOINT = {"baseUrl": "http://teacher:8000/v1", "model": "t"}


def trained(name: str, start: str | None = None, **others: Any) -> dict[str, Any]:
    """A stage that trains the model of another stage, or the base model."""
    return {"name": name, "model": {"stage": start} if start else {"base": True}, "dpo": a_training(**others)}


BRANCHES = [trained("sft"), trained("dpo-a", "sft"), trained("dpo-b", "sft"), trained("raw")]
"""Two stages start from the same model, and one from the base model."""

_ASKED = {"responders": [{"endpoint": _ENDPOINT}, {"endpoint": _ENDPOINT}], "judge": _ENDPOINT, "prompts": [{"stage": "teach"}]}
DIAMOND = [
    {"name": "teach", "distill": {"teachers": [_ENDPOINT], "prompts": [{"uri": "workspace://prompts.jsonl"}]}},
    {"name": "sft", "model": {"base": True}, "sft": a_training(datasets=[{"stage": "teach"}])},
    {"name": "judge", "feedback": _ASKED},
    {"name": "dpo", "model": {"stage": "sft"}, "dpo": a_training(datasets=[{"stage": "judge"}])},
]
"""A teacher's answers are learned and judged side by side, and both results meet."""


def branching(stages: list[dict[str, Any]] = BRANCHES, parallel: int | None = None, **others: Any) -> AlignmentJob:
    return a_job(**{"stages": stages, **({"parallelStages": parallel} if parallel else {}), **others})


def children(job: AlignmentJob, **states: Any) -> list[Child]:
    """The first attempt of each named stage; a state may come with other fields: ("Failed", {"exit_code": 65})."""
    found = {name.replace("_", "-"): state if isinstance(state, tuple) else (state, {}) for name, state in states.items()}
    return [a_child(job, name, state, **others) for name, (state, others) in found.items()]
