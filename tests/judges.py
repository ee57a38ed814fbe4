"""Judges for tests: programs that read what a judge is asked, and answer in the demanded form."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from alignment_api.spec.endpoints import Endpoint
from alignment_trainer.endpoints.question import Answer, Message, Question, SamplingSettings, Server, Unanswered
from faulty_server import answers

SERVER = Server("spec.stages[0].feedback.judge", Endpoint(base_url="http://judge:8000/v1", model="judge"))
SAMPLING = SamplingSettings(temperature=0, top_p=1, maximum_tokens=1024)
QUESTION: Sequence[Message] = [{"role": "user", "content": "How many legs has a spider?"}]

Result = TypeVar("Result")


def run(awaitable: Awaitable[Result]) -> Result:
    async def awaited() -> Result:
        return await awaitable

    return asyncio.run(awaited())


def answers_in(prompt: str, mark: str) -> list[str]:
    """Return the answers that a judge is shown, in their order."""
    return re.findall(rf"^{mark} answer [A-Z]+\n(.*?)(?=\n{mark} )", prompt, re.MULTILINE | re.DOTALL)


class Judge:
    """An Ask that replies with what `decide` returns for the answers in the order in which they are shown."""

    def __init__(self, decide: Callable[[list[str]], Sequence[Any]]) -> None:
        self.decide = decide
        self.asked: list[Question] = []

    async def __call__(self, server: Server, question: Question) -> Answer | Unanswered:
        self.asked.append(question)
        return answer(self.reply(question.messages[0]["content"]))

    def serve(self, handler: Any) -> None:
        """Reply over the wire, as an act of a faulty server; a probe demands no verdict."""
        prompt = handler.body["messages"][0]["content"]
        answers(self.reply(prompt) if "=?" in prompt else "yes")(handler)

    def reply(self, prompt: str) -> str:
        """Return a line about each answer, and the verdict."""
        mark, *keys = prompt.splitlines()[-1].replace("=?", "").split()
        values = self.decide(answers_in(prompt, mark))
        line = " ".join([mark, *(f"{key}={value}" for key, value in zip(keys, values, strict=True))])
        return "\n".join([*(f"{key}: None: Because of {value}." for key, value in zip(keys, values, strict=True)), line])


class Replies:
    """An Ask that gives prepared replies in turn; MARK in them becomes the mark of the demand."""

    def __init__(self, *replies: str | Answer | Unanswered) -> None:
        self.replies = list(replies)
        self.asked: list[Question] = []

    async def __call__(self, server: Server, question: Question) -> Answer | Unanswered:
        self.asked.append(question)
        reply = self.replies.pop(0)
        mark = question.messages[0]["content"].splitlines()[-1].split()[0]
        if isinstance(reply, Unanswered):
            return reply
        known = answer(reply) if isinstance(reply, str) else reply
        return replace(known, text=known.text.replace("MARK", mark))


def answer(text: str, finish: str = "stop") -> Answer:
    return Answer(text, finish, prompt_tokens=10, answer_tokens=5)
