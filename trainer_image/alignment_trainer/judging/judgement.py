"""Asks a judge for one verdict, and once more if its reply is not in the demanded form."""

from dataclasses import replace
from functools import partial
from typing import NamedTuple

from alignment_trainer.endpoints.question import Answer, Ask, Message, Question, SamplingSettings, Server, Unanswered
from alignment_trainer.judging.verdicts import Form, Unreadable, Verdict, read_verdict

REPAIR = (
    "Your reply has no verdict that can be read: {fault}. "
    "Write only this line, with your verdict in place of each question mark, and nothing else:\n{line}"
)


class Demand(NamedTuple):
    """What a judge is asked, and the form of the verdict that it must end with."""

    text: str
    form: Form
    template: str
    """Hash of the texts that the demand is made of."""
    seed: int


class Judgement(NamedTuple):
    """What came of a demand: the verdict, or why there is none."""

    verdict: Verdict | None
    reply: str
    """The judge's first reply, which holds its reasons."""
    failure: str
    """One CamelCase word if there is no verdict."""
    was_repaired: bool


async def judge(ask: Ask, server: Server, sampling: SamplingSettings, demand: Demand) -> Judgement:
    """Return the judge's verdict; a second reply that cannot be read is a failure, and the next attempt asks for it again."""
    asked = (Message(role="user", content=demand.text),)
    reply = await ask(server, _question(demand, sampling, asked))
    if isinstance(reply, Unanswered):
        return Judgement(None, "", reply.reason, was_repaired=False)
    found = _read(reply, demand.form)
    if not isinstance(found, Unreadable):
        return Judgement(found, reply.text, "", was_repaired=False)
    repair = REPAIR.format(fault=found.fault, line=demand.form.line)
    # Some servers refuse an empty message.
    shown = Message(role="assistant", content=reply.text.strip() or "(empty)")
    question = _question(demand, sampling, (*asked, shown, Message(role="user", content=repair)))
    second = await ask(server, replace(question, may_keep=partial(_is_readable, demand.form)))
    if isinstance(second, Unanswered):
        return Judgement(None, reply.text, second.reason, was_repaired=False)
    again = _read(second, demand.form)
    if isinstance(again, Unreadable):
        return Judgement(None, reply.text, again.reason, was_repaired=False)
    return Judgement(again, reply.text, "", was_repaired=True)


def _question(demand: Demand, sampling: SamplingSettings, messages: tuple[Message, ...]) -> Question:
    return Question(messages, sampling, demand.seed, template=demand.template, needs_end=True)


def _is_readable(form: Form, text: str) -> bool:
    return not isinstance(read_verdict(text, form), Unreadable)


def _read(reply: Answer, form: Form) -> Verdict | Unreadable:
    if reply.finish == "length":
        # A cut rating of 10 would be 1.
        return Unreadable("CutReply", "it was cut before its end")
    return read_verdict(reply.text, form)
