"""Reads descriptions of tools, and the calls of tools in messages, as the chat templates of transformers take them."""

import json
from collections.abc import Mapping
from typing import Any

from alignment_trainer.forms.form import is_empty
from alignment_trainer.forms.texts import shown, whole_text
from alignment_trainer.reading.bad_row import BadRow

Tool = dict[str, Any]
TOOL_COLUMNS = ("tools", "functions")


def tools_of(row: Mapping[str, Any]) -> list[Tool] | None:
    """Read the descriptions in the columns tools (or functions, as OpenAI named them before); None if there are none."""
    for column in TOOL_COLUMNS:
        tools = _parsed(row.get(column), column)
        if is_empty(tools):
            continue
        listed = [tools] if isinstance(tools, dict) else tools
        if not isinstance(listed, list):
            raise BadRow(f"{column} must be a list of descriptions of tools, or the same as JSON text; correct it")
        return [_tool(tool, f"{column}[{index}]") for index, tool in enumerate(listed)]
    return None


def calls_of(value: Any, place: str) -> list[dict[str, Any]]:
    """Read the calls of one message: objects with name and arguments, or with these in `function`, as OpenAI writes them."""
    if not isinstance(value, list):
        raise BadRow(f"{place} must be a list of calls with name and arguments; correct it")
    return [_call(call, f"{place}[{index}]") for index, call in enumerate(value)]


def calls_in_text(value: Any, place: str) -> list[dict[str, Any]]:
    """Read the call, or the list of calls, that a turn of ShareGPT holds as JSON text."""
    calls = _parsed(value, place)
    if not calls:
        raise BadRow(f"{place} is empty; a call needs name and arguments")
    return [_call(calls, place)] if isinstance(calls, dict) else calls_of(calls, place)


def _tool(tool: Any, place: str) -> Tool:
    described = tool.get("function") or tool if isinstance(tool, dict) else None
    if not isinstance(described, dict) or not isinstance(described.get("name"), str):
        raise BadRow(f"{place} is {shown(tool)}; it must be an object with name, description and parameters")
    kind = tool.get("type") if described is not tool else None
    whole = {"type": kind or "function", "function": described}
    _check_encoding(whole, place)
    return whole


def _call(call: Any, place: str) -> dict[str, Any]:
    function = call.get("function") or call if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise BadRow(f"{place} is {shown(call)}; a call needs name and arguments")
    arguments = _parsed(function.get("arguments"), f"{place}.arguments") or {}
    if not isinstance(arguments, dict):
        raise BadRow(f"{place}.arguments must be a JSON object; correct it")
    whole = {"type": "function", "function": {"name": function["name"], "arguments": arguments}}
    if call.get("id") is not None:
        whole["id"] = whole_text(call["id"], f"{place}.id")
    _check_encoding(whole, place)
    return whole


def _parsed(value: Any, place: str) -> Any:
    """Return what JSON text holds, or the value itself without the nulls that tables add."""
    if not isinstance(value, str) or not value.strip():
        return _without_nulls(value)
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise BadRow(f"{place} is text that is no valid JSON ({error}); correct it") from error


def _without_nulls(value: Any) -> Any:
    """Return a value without the keys that are null: Parquet and Arrow give each object the keys of all others."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _check_encoding(value: Any, place: str) -> None:
    try:
        whole_text(json.dumps(value, ensure_ascii=False), place)
    except (TypeError, RecursionError) as error:
        raise BadRow(f"{place} has a value that JSON cannot write; correct it") from error
