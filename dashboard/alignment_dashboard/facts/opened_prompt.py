"""Which prompt is open, where a request may have left the browser before the answer to the one before it arrived there.

Such a request still names an earlier prompt, in its address and in the marked row of the list; a quick visitor sends many.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """What a request of the browser says; `navigated` is true after Back and Forward, and where the page shows other jobs."""

    address: str
    navigated: bool = False
    arrows: int | None = None
    selected: int | None = None


@dataclass(frozen=True)
class Opened:
    """The open prompt as the address names it (empty for the first one), and how the page shows it."""

    key: str
    drawn: tuple[str, ...]
    number: int
    # A browser keeps the number of its arrows; arrows that show another number than the open one are replaced.
    arrows: int = 1
    earlier: frozenset[str] = frozenset()
    """The prompts that the browser may still name, because it has not confirmed that it has the present one."""


def open_prompt(shown: Sequence[str], before: Opened | None, asked: Asked) -> Opened:
    """Return the prompt that is open after a request, among the prompts that are shown."""
    if before is None:
        return Opened(asked.address, tuple(shown), _position(shown, asked.address))
    key = _wanted(before, asked)
    number = _position(shown, key)
    return Opened(
        key, tuple(shown), number, before.arrows + (asked.arrows not in (None, number + 1)), _unconfirmed(before, asked, key)
    )


def _wanted(before: Opened, asked: Asked) -> str:
    """Return what was asked for: a press on the arrows counts first, since both echoes come with such presses."""
    confirmed = asked.address == before.key
    if asked.navigated:
        return asked.address
    if asked.arrows is not None and asked.arrows != before.number + 1 and asked.arrows <= len(before.drawn):
        return before.drawn[asked.arrows - 1]
    if asked.selected is not None and asked.selected != before.number and asked.selected < len(before.drawn):
        clicked = before.drawn[asked.selected]
        if confirmed or clicked not in before.earlier:
            return clicked
    return before.key if confirmed or asked.address in before.earlier else asked.address


def _unconfirmed(before: Opened, asked: Asked, key: str) -> frozenset[str]:
    still = frozenset() if asked.address == before.key else before.earlier
    return still if key == before.key else still | {before.key, before.drawn[before.number]}


def _position(shown: Sequence[str], key: str) -> int:
    return shown.index(key) if key in shown else 0
