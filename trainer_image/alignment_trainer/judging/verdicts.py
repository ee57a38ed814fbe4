"""Reads a judge's verdict, only from the last line of its reply and only in the form that was demanded; pure.

The form is one line: a mark that no answer contains, then KEY=VALUE for each key, such as `kzrq A=4 B=2`.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

NOT_APPLICABLE = "N/A"
"""The value by which a judge says that an answer cannot be rated."""
NOT_RATED = "NotApplicable"
"""Why a rating is missing then."""

_THINKING_ENDS = "</think>"
_WHOLE_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)", re.ASCII)
_PARTS = re.compile(r",?[ \t]+")


@dataclass(frozen=True)
class Form:
    """The line that a judge must end with."""

    mark: str
    keys: tuple[str, ...]
    values: tuple[str, ...]
    """What may stand after each key."""

    @property
    def line(self) -> str:
        """Return the line as judges are shown it, with question marks for the values."""
        return f"{self.mark} " + " ".join(f"{key}=?" for key in self.keys)


class Unreadable(NamedTuple):
    """A reply without a verdict in the demanded form."""

    reason: str
    """One CamelCase word, under which it is counted."""
    fault: str
    """What is wrong, as the second question puts it to the judge; without words of the reply."""


Verdict = dict[str, str]


def ratings(lowest: int, highest: int) -> tuple[str, ...]:
    """Return the values that a rating may have: whole numbers, or that the answer cannot be rated."""
    return (*map(str, range(lowest, highest + 1)), NOT_APPLICABLE)


def rating(value: str) -> int | None:
    """Return the number of a rating that was read; None if the judge could not rate the answer."""
    return None if value == NOT_APPLICABLE else int(value)


def read_verdict(reply: str, form: Form) -> Verdict | Unreadable:
    """Return the value of each key; nothing is guessed, and nothing is taken from any other line."""
    lines = reply_lines(reply)
    if not lines:
        return Unreadable("EmptyReply", "it is empty")
    verdict_lines = [line for line in lines if _is_verdict(line, form.mark)]
    if not verdict_lines:
        return Unreadable("NoVerdict", f"no line begins with {form.mark}")
    if len(verdict_lines) > 1:
        return Unreadable("SeveralVerdicts", f"{len(verdict_lines)} lines begin with {form.mark}")
    if lines[-1] is not verdict_lines[0]:
        return Unreadable("TextAfterVerdict", "there is text after the verdict")
    return _read_line(lines[-1], form)


def reply_lines(reply: str) -> list[str]:
    """Return the lines of a reply that are not empty, without what a reasoning model has thought before."""
    said = reply.rpartition(_THINKING_ENDS)[2]
    return [line.strip() for line in said.splitlines() if line.strip()]


def _is_verdict(line: str, mark: str) -> bool:
    """Return whether a line states values after the mark; the lines around the answers, which a judge may quote, state none."""
    return line.split(maxsplit=1)[0] == mark and "=" in line


def _read_line(line: str, form: Form) -> Verdict | Unreadable:
    verdict: Verdict = {}
    for part in _PARTS.split(line)[1:]:
        key, equals, value = part.partition("=")
        if not equals:
            return Unreadable("WrongForm", "the verdict holds more than KEY=VALUE with single spaces between")
        if key not in form.keys:
            return Unreadable("UnknownLabel", f"the verdict may name only {_listed(form.keys)}")
        if key in verdict:
            return Unreadable("RepeatedLabel", "the verdict names one label twice")
        if value not in form.values:
            return _wrong_value(value, form.values)
        verdict[key] = value
    if len(verdict) < len(form.keys):
        return Unreadable("MissingLabel", f"the verdict must name all of {_listed(form.keys)}")
    return verdict


def _wrong_value(value: str, allowed: Collection[str]) -> Unreadable:
    reason = "OutOfRange" if "1" in allowed and _WHOLE_NUMBER.fullmatch(value) else "WrongValue"
    return Unreadable(reason, f"each value must be one of {_listed(allowed)}")


def _listed(words: Collection[str]) -> str:
    return ", ".join(words)
