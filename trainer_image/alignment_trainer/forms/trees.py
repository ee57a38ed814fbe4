"""Reads a tree of messages, as Open Assistant publishes them: the best path from the question to an answer is learned."""

from collections.abc import Mapping
from typing import Any

from alignment_trainer.forms.examples import Dialogue
from alignment_trainer.forms.form import Row
from alignment_trainer.forms.left_out import LeftOut
from alignment_trainer.forms.messages import Message
from alignment_trainer.forms.texts import shown, whole_text
from alignment_trainer.reading.bad_row import BadRow

_ROLES = {"prompter": "user", "assistant": "assistant"}


def is_tree(row: Row) -> bool:
    """Return whether prompt is a message with replies, and not a text or a list of messages."""
    return isinstance(row["prompt"], Mapping) and "replies" in row["prompt"]


def best_path(row: Row) -> Dialogue:
    """Read the path that follows the best reply to each message, and ends with an answer."""
    node, place, path = row["prompt"], "prompt", [_message(row["prompt"], "prompt")]
    while True:
        found = _best_reply(node, place)
        if found is None:
            break
        node, place = found
        path.append(_message(node, place))
    while len(path) > 1 and path[-1]["role"] != "assistant":
        path.pop()
    if len(path) == 1 or not _is_usable(row["prompt"]):
        # Files with all trees also hold questions that have no answer yet.
        raise LeftOut("nothing_answered")
    return Dialogue(None, path)


def _best_reply(node: Mapping[str, Any], place: str) -> tuple[Mapping[str, Any], str] | None:
    """Return the usable reply that people ranked best, the first one where there are no ranks, and its place."""
    replies = node.get("replies") or []
    if not isinstance(replies, list) or not all(isinstance(reply, Mapping) for reply in replies):
        raise BadRow(f"{place}.replies must be a list of messages; correct it")
    usable = [(_rank(reply), index) for index, reply in enumerate(replies) if _is_usable(reply)]
    if not usable:
        return None
    _, best = min(usable)
    return replies[best], f"{place}.replies[{best}]"


def _rank(reply: Mapping[str, Any]) -> float:
    rank = reply.get("rank")
    return rank if isinstance(rank, int | float) else float("inf")


def _is_usable(message: Mapping[str, Any]) -> bool:
    """Return whether a message was neither deleted nor rejected by reviewers."""
    return message.get("deleted") is not True and message.get("review_result") is not False


def _message(message: Mapping[str, Any], place: str) -> Message:
    role = message.get("role")
    if role not in _ROLES:
        raise BadRow(f"{place}.role is {shown(role)}; use one of {', '.join(_ROLES)}")
    return {"role": _ROLES[role], "content": whole_text(message.get("text"), f"{place}.text")}
