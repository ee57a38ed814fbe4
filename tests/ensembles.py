"""Ensembles with their judge for tests: programs that answer what they are asked, in this process or behind a real server."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from alignment_api.spec.endpoints import Endpoint
from alignment_trainer.endpoints.question import Answer, Question, Unanswered
from alignment_trainer.settings.servers import SamplingSettings, Server
from faulty_server import Act, answers
from judges import Judge, answer

NAMES = ("best", "good", "fair", "poor")
SAMPLING = SamplingSettings(1, 1, 64)

Say = Callable[[str, Question], Answer | Unanswered]


def server(name: str) -> Server:
    return Server(f"spec.stages[0].feedback.{name}", Endpoint(base_url="http://models:8000/v1", model=name))


def says(name: str, question: Question) -> Answer:
    """Answer with the model's name and the question."""
    return answer(f"{name} on {question.messages[-1]['content']}")


def prefers(*names: str) -> Callable[[list[str]], list[int]]:
    """Return a judge's ratings, from 5 down, by who wrote the answers."""
    return lambda shown: [5 - names.index(text.split()[0]) for text in shown]


class Models:
    """An Ask: the models say what a test wants, and the judge decides by the texts that it is shown."""

    def __init__(self, decide: Callable[[list[str]], Sequence[Any]] | None = None, say: Say = says) -> None:
        self.judge, self.say = Judge(decide or prefers(*NAMES)), say
        self.asked: list[tuple[str, Question]] = []

    async def __call__(self, server: Server, question: Question) -> Answer | Unanswered:
        self.asked.append((server.endpoint.model, question))
        # A stage first asks every server for one token.
        if server.endpoint.model == "judge" and "=?" in question.messages[0]["content"]:
            return await self.judge(server, question)
        return self.say(server.endpoint.model, question)


def speaks_for(models: Models) -> Act:
    """Return what a server does that serves these models."""

    def act(handler: Any) -> None:
        body = handler.body
        question = Question(tuple(body["messages"]), SAMPLING, body.get("seed") or 0)
        reply = asyncio.run(models(server(body["model"]), question))
        assert isinstance(reply, Answer)
        answers(reply.text, finish=reply.finish, model=body["model"])(handler)

    return act
