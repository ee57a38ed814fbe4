"""A distill stage that has a server of the test as its teacher, and what asks it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from alignment_api.resolving.recipes import resolve
from alignment_api.run_config import EndpointKey, JobIdentity, Paths, RunConfig, TrackingTarget
from alignment_api.spec.endpoints import SecretKey
from alignment_api.spec.job import AlignmentJob
from alignment_trainer.endpoints.asking import Asking, open_asking
from alignment_trainer.endpoints.pacing.pace import PATIENCE, Patience
from alignment_trainer.endpoints.question import Answer, Question, SamplingSettings, Unanswered
from alignment_trainer.endpoints.servers import servers_of

Result = TypeVar("Result")

KEY = "sk-0123456789abcdef"
IMPATIENT = PATIENCE._replace(
    first_wait_seconds=0.01, longest_wait_seconds=0.02, longest_backoff_seconds=0.02, first_wait_when_busy=0.02
)


def a_stage(
    root: Path, url: str, budget: dict[str, Any] | None = None, needs_key: bool = False, job: str = "job", **teacher: Any
) -> RunConfig:
    """Return the RunConfig of a stage with one teacher; with a key, its Secret is written too."""
    endpoint = {"baseUrl": url, "model": "large", "timeoutSeconds": 30, **teacher}
    if needs_key:
        endpoint["apiKeySecret"] = {"name": "teacher", "key": "api-key"}
        (root / "key").write_text(KEY)
        (root / "allowed-endpoints").write_text(url)
    distill = {
        "teachers": [endpoint],
        "prompts": [{"uri": "workspace://prompts.jsonl"}],
        **({"budget": budget} if budget else {}),
    }
    stages = [{"name": "lessons", "distill": distill}]
    document = {"model": {"uri": "workspace://model"}, "stages": stages, "storage": {"claimName": "workspace"}}
    head = {"apiVersion": "alignment-operator.dev/v1alpha1", "kind": "AlignmentJob", "metadata": {"name": job}}
    spec = resolve(AlignmentJob.parse({**head, "spec": document}).spec).spec
    known = EndpointKey(
        secret=SecretKey(name="teacher", key="api-key"),
        namespace="team",
        file=str(root / "key"),
        allowed_endpoints=str(root / "allowed-endpoints"),
    )
    return RunConfig(
        job=JobIdentity(namespace="team", name=job, uid="0badcafe-1"),
        attempt=1,
        stage_name="lessons",
        input_hash="0" * 64,
        spec=spec,
        compute=spec.compute_of((spec.stages or [])[0]),
        paths=Paths(workspace=str(root), stage=str(root / job / "lessons"), endpoint_keys=[known] if needs_key else None),
        tracking=TrackingTarget(uri="sqlite:///none.db", experiment="tests"),
        world_size=1,
        grace_seconds=60,
    )


def a_question(text: str = "1", maximum_tokens: int = 20, seed: int = 3, **others: Any) -> Question:
    return Question(({"role": "user", "content": text},), SamplingSettings(0.5, 0.9, maximum_tokens), seed, **others)


def with_asking(config: RunConfig, work: Callable[[Asking], Awaitable[Result]], patience: Patience = IMPATIENT) -> Result:
    """Do what needs an open Asking."""

    async def run() -> Result:
        async with open_asking(config, patience) as asking:
            return await work(asking)

    return asyncio.run(run())


async def ask_all(
    asking: Asking, config: RunConfig, questions: Iterable[Question], workers: int = 16
) -> list[Answer | Unanswered]:
    """Ask many questions with some workers, and return the answers in the order of the questions."""
    remaining, found = iter(enumerate(questions)), {}
    server = servers_of(config)[0]

    async def work() -> None:
        for number, question in remaining:
            found[number] = await asking(server, question)

    tasks = [asyncio.create_task(work()) for _ in range(workers)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return [found[number] for number in sorted(found)]
