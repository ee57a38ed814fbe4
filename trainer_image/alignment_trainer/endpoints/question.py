"""What is asked of a server, and what came of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypedDict

from alignment_trainer.settings.servers import SamplingSettings as SamplingSettings
from alignment_trainer.settings.servers import Server as Server


class Message(TypedDict):
    """One message of a dialogue."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Question:
    """All that shapes an answer, beside the server."""

    messages: tuple[Message, ...]
    sampling: SamplingSettings
    seed: int
    sample: int = 0
    """Which of several answers to the same messages this is."""
    template: str = ""
    """Hash of the prompt template that wrote the messages, if one did."""
    needs_end: bool = False
    """Whether a cut answer is of no use, such as a verdict: it is counted as unanswered and never kept."""
    may_keep: Callable[[str], bool] | None = field(default=None, compare=False, repr=False)
    """Whether the text of an answer is kept, or asked for again by the next attempt; None keeps every answer."""


@dataclass(frozen=True)
class Answer:
    """A usable answer."""

    text: str
    finish: str
    """Why the server stopped: `stop` at the end of the answer, `length` where it was cut."""
    prompt_tokens: int
    answer_tokens: int
    was_kept: bool = False
    """Whether an earlier request had paid for it."""


@dataclass(frozen=True)
class Unanswered:
    """No usable answer, after all attempts."""

    reason: str
    """One CamelCase word, under which it is counted."""
    detail: str
    """A sentence without keys and without text of the answer."""


class Ask(Protocol):
    """Asks a server; raises a StageFailure where the whole stage must end, such as for a spent budget or a refused key."""

    def __call__(self, server: Server, question: Question) -> Awaitable[Answer | Unanswered]:
        """Return the answer, paid for once."""
