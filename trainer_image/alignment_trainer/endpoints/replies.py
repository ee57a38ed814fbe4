"""Decides what an attempt has brought: an answer, or a fault with what follows from it; pure."""

from collections.abc import Mapping
from datetime import datetime
from http.client import responses
from typing import Literal, NamedTuple

from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion

from alignment_trainer.endpoints.pacing.retry_after import wait_seconds

Kind = Literal["Busy", "Down", "Unusable", "Rejected", "Refused"]
"""Busy: the server asks to wait. Down: it fails, as it would for another question. Unusable: it works, but its answer is no use.
Rejected: the same question would be rejected again. Refused: it takes no question of this stage."""

CUT = "CutAnswer"
_DOWN = (408, 409, 425)
_REFUSED = (401, 403)


class Usage(NamedTuple):
    """The tokens that a server charges."""

    prompt_tokens: int
    answer_tokens: int


class Reply(NamedTuple):
    """A usable answer, as it came from the server."""

    text: str
    finish: str
    usage: Usage | None
    model: str


class Fault(NamedTuple):
    """An attempt without a usable answer."""

    kind: Kind
    reason: str
    """One CamelCase word, under which it is counted."""
    detail: str
    """What the server did, to follow its address in a sentence."""
    wait_seconds: float | None = None
    """How long the server asks to wait."""
    usage: Usage | None = None
    is_unpaid: bool = False
    """Whether the server certainly charges no tokens."""
    never_arrived: bool = False


def fault_of_status(status: int, headers: Mapping[str, str], said: str, now: datetime) -> Fault:
    """Return the fault of an answer with a status other than 200; `said` is the server's own sentence."""
    phrase = f"{status} {responses.get(status, '')}".rstrip()
    kind: Kind = "Rejected"
    if status == 429:
        kind = "Busy"
    elif status in _DOWN or status >= 500:
        kind = "Down"
    elif status in _REFUSED:
        kind = "Refused"
    detail = f"answers {phrase}" + (f' ("{said.rstrip(" .")}")' if said.strip(" .") else "")
    return Fault(kind, f"Status{status}", detail, wait_seconds(headers, now), is_unpaid=True)


def read_completion(completion: object, needs_end: bool) -> Reply | Fault:
    """Read what the SDK makes of an answer with status 200, which need not have the form of one."""
    if not isinstance(completion, ChatCompletion):
        return Fault("Down", "NoJson", "answers 200 with a page that is not JSON, as a gateway does")
    usage = _usage(completion.usage)
    try:
        choice = completion.choices[0]
        text, finish, model = choice.message.content, choice.finish_reason, completion.model
    except (AttributeError, IndexError, KeyError, TypeError):
        return Fault("Unusable", "NoChoices", "answers 200 without choices", usage=usage)
    if finish == "content_filter":
        return Fault("Rejected", "FilteredAnswer", "stopped the answer with its content filter", usage=usage)
    if finish == "length" and (needs_end or not _has_words(text)):
        return Fault("Rejected", CUT, "reached maximumTokens before the answer's end", usage=usage)
    if not isinstance(text, str) or not _has_words(text):
        return Fault("Unusable", "EmptyAnswer", "gives an empty answer", usage=usage)
    # Some servers say 0 where they do not count.
    counted = usage if usage and usage.answer_tokens else None
    return Reply(text, "length" if finish == "length" else "stop", counted, str(model or ""))


def _has_words(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())


def _usage(usage: CompletionUsage | None) -> Usage | None:
    """Return the tokens that a server reports; None if it reports none, no plain numbers, or a prompt without tokens."""
    prompt, answer = getattr(usage, "prompt_tokens", None), getattr(usage, "completion_tokens", None)
    if isinstance(prompt, int) and prompt > 0 and isinstance(answer, int) and answer >= 0:
        return Usage(prompt, answer)
    return None
