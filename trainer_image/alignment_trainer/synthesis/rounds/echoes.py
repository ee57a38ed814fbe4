"""Finds a question that an answer repeats before it answers; pure.

An answer is left whole where it may only begin with the words of the question, as a definition or a program does.
"""

import re
import unicodedata

_SHORTEST = 12
"""Letters and digits of a question; a shorter one may well begin a good answer."""
_ASKED = re.compile(r"\W*(?:user|human|question|prompt|instruction|task)\W*?[:\n]\s*", re.IGNORECASE)
_FENCE = re.compile(r"\s*```\w*\n")
_ANSWERED = re.compile(r"\W*(?:assistant|answer|response|output)\W*?:[*\s]*", re.IGNORECASE)
_SIGNS = re.compile(r"""([)\]}]*[ \t]*[.?!:;,…؟।。！？：]*["'”’»*`)\]]*)(\s*)""")
"""What ends a sentence or a quotation, and the space behind it."""


def after_echo(text: str, question: str) -> str | None:
    """Return what follows the repeated question; None where the answer does not begin with it."""
    asked = _ASKED.match(text)
    for start in [match.end() for match in (_FENCE.match(text), asked) if match] + [0]:
        end = _end_of_echo(text, question, start)
        rest = None if end is None else _rest(text[end:], is_dialogue=asked is not None and start == asked.end())
        if rest is not None:
            return rest
    return None


def _end_of_echo(text: str, question: str, start: int) -> int | None:
    """Return where the repeated question ends; signs, spaces and case are not compared."""
    wanted = [sign for sign in question.casefold() if sign.isalnum()]
    if len(wanted) < _SHORTEST:
        return None
    found = 0
    for position, sign in enumerate(text[start:], start):
        # In some scripts a vowel is a mark on its letter.
        if found >= len(wanted) and not unicodedata.category(sign).startswith("M"):
            return None if sign.isalnum() else position
        # One letter may fold to two, such as ß.
        folded = sign.casefold() if sign.isalnum() else ""
        if list(folded) != wanted[found : found + len(folded)]:
            return None
        found += len(folded)
    return len(text) if found >= len(wanted) else None


def _rest(tail: str, is_dialogue: bool) -> str | None:
    """Return the answer in what follows the words of a question; None if the question does not end there."""
    match = _SIGNS.match(tail)
    assert match is not None
    signs, space = match.groups()
    rest = tail[match.end() :].strip()
    if not rest.strip("`"):
        return ""
    has_end, ends_line = re.search(r"[.?!:…؟।。！？：]", signs), "\n" in space
    label = _ANSWERED.match(rest)
    if label and (has_end or ends_line or is_dialogue):
        return rest[label.end() :]
    # An indented line goes on with a program.
    is_new = has_end and space.endswith("\n")
    is_answer = "？" in signs or (space and re.search("[?؟]", signs))
    return rest if is_new or is_answer else None
