"""Asks the servers of a stage: the one loop that owns every attempt, its limits, its budget and its answers."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from alignment_api.run_config import RunConfig

from alignment_trainer.endpoints.key import access
from alignment_trainer.endpoints.question import Answer, Question, Server, Unanswered
from alignment_trainer.endpoints.replies import Fault
from alignment_trainer.endpoints.wire import Wire


@dataclass(frozen=True)
class Counts:
    """What a stage has asked, and what came of it."""

    requests: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    cost: float = 0
    kept_answers: int = 0
    possibly_paid: int = 0
    unanswered: Mapping[str, int] = field(default_factory=dict)


@asynccontextmanager
async def open_asking(config: RunConfig) -> AsyncIterator["Asking"]:
    """Open the connections to a stage's servers; only one process of a stage may do so."""
    asking = Asking(config)
    try:
        yield asking
    finally:
        await asking.close()


class Asking:
    """Asks servers; each answer is paid for once."""

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._wires: dict[str, Wire] = {}
        self._requests = self._prompt_tokens = self._answer_tokens = 0
        self._unanswered: Counter[str] = Counter()

    async def __call__(self, server: Server, question: Question) -> Answer | Unanswered:
        """Ask a server."""
        self._requests += 1
        reply = await self._wire(server).send(question)
        if isinstance(reply, Fault):
            self._unanswered[reply.reason] += 1
            return Unanswered(reply.reason, f"{server.endpoint.base_url} {reply.detail}")
        prompt_tokens, answer_tokens = reply.usage or (0, 0)
        self._prompt_tokens += prompt_tokens
        self._answer_tokens += answer_tokens
        return Answer(reply.text, reply.finish, prompt_tokens, answer_tokens)

    def counts(self) -> Counts:
        """Return what was asked so far."""
        return Counts(self._requests, self._prompt_tokens, self._answer_tokens, unanswered=dict(self._unanswered))

    async def close(self) -> None:
        """Close all connections."""
        for wire in self._wires.values():
            await wire.close()

    def _wire(self, server: Server) -> Wire:
        if server.field not in self._wires:
            self._wires[server.field] = Wire(server, access(server.endpoint, server.field, self._config.paths))
        return self._wires[server.field]
