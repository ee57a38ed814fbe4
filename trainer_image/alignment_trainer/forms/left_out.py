"""The reasons why a form leaves a row out; such rows are counted and stop nothing."""

from typing import Literal

Reason = Literal["nothing_answered", "labelled_bad", "undecided", "unpaired"]
"""nothing_answered: an answer is empty, or both are the same; labelled_bad: the label says that the answer is bad; undecided: no
answer of the row is better than another; unpaired: its answers do not answer the same prompt."""


class LeftOut(Exception):
    """A row of a known form gives no example; users of a public dataset cannot correct it, so it is counted."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason
