"""How new instructions are asked for, read from a reply, and found to be unanswerable."""

import re
from collections.abc import Sequence

from alignment_trainer.endpoints.question import Message
from alignment_trainer.judging.material import template_hash

IN_A_REPLY = 8
"""How many instructions one reply is asked for."""

_ASK = """Here are tasks that people have given to a chat assistant, one in each block:

{shown}

Write {count} new tasks for the same assistant. Each of them
- is about another subject than the ones above and than the others that you write, and asks for another kind of work where it can,
- can be done by writing alone: without images, sound, links, files, or actions outside of the conversation,
- contains everything that is needed to do it, such as the text to be translated,
- is written as a person would write it.

Write them as a numbered list, 1. to {count}., and nothing else."""

TEMPLATE = template_hash(_ASK)

_FIRST = re.compile(r"^([ \t]*)((?:#{1,6}[ \t]+)?(?:\*\*)?)1([.)])(\*\*)?(?!\S)", re.MULTILINE)
"""The number of the first item: models set it in bold or as a heading now and then."""
_FEWEST_WORDS, _MOST_WORDS = 3, 150
_MEDIUM = r"(?:image|picture|photo|photograph|screenshot|video|audio|recording|chart|diagram|painting|song)s?"
_ALSO_TEXT = r"(?:graph|map|file)s?"
"""Also what is written about: a graph algorithm, a heat map, the lines of a given file."""
_UNANSWERABLE = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # What somebody would have to look at, listen to or open,
        rf"\b(?:this|these|following|given|attached|above|below|shown)\s+(?:\w+\s+)?{_MEDIUM}\b",
        rf"\b{_MEDIUM}\s+(?:above|below|attached|shown)\b",
        rf"\b(?:attached|above|shown)\s+{_ALSO_TEXT}\b|\b{_ALSO_TEXT}\s+(?:above|attached|shown)\b",
        r"\b(?:the|this|these|my)\s+attach(?:ed|ments?)\b|\bscreenshots?\b",
        r"(?:^|[.!?]\s+)(?:please\s+)?(?:down|up)load\s+(?:an?|the|this|these|my|your)\b",
        r"https?://|\bwww\.|\b(?:click|tap)\s+(?:on|here|the|this)\b",
        r"\b(?:visit|open|go to)\s+(?:\w+\s+)?(?:web\s?site|web\s?page|link|url)\b",
        # or make in another form than text.
        r"\b(?:draw|sketch|paint|photograph|film)\s+(?:me\s+)?(?:an?|the|some|my)\b",
        rf"\b(?:create|make|generate|produce|take|show|record|send)\s+(?:me\s+)?(?:an?|the|some)\s+(?:\w+\s+)?{_MEDIUM}\b",
    )
)


def asked_for_more(shown: Sequence[str]) -> tuple[Message, ...]:
    """Return what a teacher is asked for new instructions, with others as examples."""
    blocks = "\n\n".join(f"<task>\n{text.strip()}\n</task>" for text in shown)
    return ({"role": "user", "content": _ASK.format(shown=blocks, count=IN_A_REPLY)},)


def instructions_in(reply: str, is_cut: bool) -> list[str] | None:
    """Return the instructions of a numbered list, without a last one that is cut; None if it is unclear where each begins."""
    first = _FIRST.search(reply)
    begins = _begins(reply, first) if first else None
    if first is None or begins is None:
        return None
    ends = [begin.start() for begin in begins[1:]] + ([] if is_cut else [len(reply)])
    # A bold item ends its bold type itself.
    is_bold = first[2].endswith("**") and not first[4]
    items = (reply[begin.end() : end] for begin, end in zip(begins, ends, strict=False))
    return [item for text in items if (item := (text.replace("**", "", 1) if is_bold else text).strip())]


def _begins(reply: str, first: re.Match[str]) -> list[re.Match[str]] | None:
    """Return where each item begins: at the next number in the form of the first, not indented further.

    All other lists belong to the items; None if one of them has the form and a number of the items, which would be cut apart.
    """
    opening, delimiter, closing = (re.escape(part or "") for part in first.groups()[1:])
    numbered = re.compile(rf"^[ \t]{{0,{len(first[1])}}}{opening}(\d{{1,3}}){delimiter}{closing}(?!\S)", re.MULTILINE)
    found = [(int(number[1]), number) for number in numbered.finditer(reply, first.start())]
    begins: list[re.Match[str]] = []
    for value, number in found:
        if value == len(begins) + 1:
            begins.append(number)
    return begins if sum(value <= len(begins) for value, _ in found) == len(begins) else None


def why_unfit(instruction: str) -> str | None:
    """Return why no teacher should be asked an instruction, as one word; None if it is fit."""
    if not _FEWEST_WORDS <= len(instruction.split()) <= _MOST_WORDS:
        return "length"
    return "unanswerable" if any(pattern.search(instruction) for pattern in _UNANSWERABLE) else None
