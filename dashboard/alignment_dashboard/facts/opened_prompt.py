"""Which prompt is open, also where a request left the browser before it had the answer to the request before.

Such a late request still names an earlier prompt: in its address, and in the row that the browser marks in the list.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Asked:
    """What a request of the browser says: the prompt in the address, the number at the arrows, and the marked row.

    `navigated` is true after Back and Forward, and where the visitor comes to the page or to other jobs.
    """

    address: str
    navigated: bool = False
    arrows: int | None = None
    selected: int | None = None


@dataclass(frozen=True)
class Opened:
    """The open prompt as the address names it (empty for the first one), and its place in the list.

    `drawn` is the list as the page drew it last: a click and a press arrive as numbers of its rows. `replacements` counts how
    often the page replaced the arrows: it does so where the browser has another number in them than that of the open prompt.
    `earlier` has the prompts that a late request may still name.
    """

    key: str
    drawn: tuple[str, ...]
    number: int
    replacements: int = 0
    earlier: frozenset[str] = frozenset()


def open_prompt(shown: Sequence[str], before: Opened | None, asked: Asked) -> Opened:
    """Return the prompt that is open after a request, among the prompts that are shown."""
    if before is None:
        return Opened(asked.address, tuple(shown), _position(shown, asked.address))
    key = _wanted(before, asked)
    number = _position(shown, key)
    replacements = before.replacements + (asked.arrows not in (None, number + 1))
    return Opened(key, tuple(shown), number, replacements, _earlier(before, asked, key))


def _wanted(before: Opened, asked: Asked) -> str:
    """Return what the visitor wants; a press on the arrows decides before the list, because an old mark often comes with it."""
    if asked.navigated:
        return asked.address
    if asked.arrows is not None and asked.arrows != before.number + 1 and asked.arrows <= len(before.drawn):
        return before.drawn[asked.arrows - 1]
    is_late = asked.address != before.key
    if asked.selected is not None and asked.selected != before.number and asked.selected < len(before.drawn):
        clicked = before.drawn[asked.selected]
        if not is_late or clicked not in before.earlier:
            return clicked
    return asked.address if is_late and asked.address not in before.earlier else before.key


def _earlier(before: Opened, asked: Asked, key: str) -> frozenset[str]:
    """Return the prompts that later requests may still name; none once an address has named the open one."""
    known = frozenset() if asked.address == before.key else before.earlier
    return known if key == before.key else known | {before.key, before.drawn[before.number]}


def _position(shown: Sequence[str], key: str) -> int:
    return shown.index(key) if key in shown else 0
