"""Reads YAML as the API server does (010 is 8, 1:30 is text), or refuses it with its line; and writes YAML for people."""

import json
import math
import re
from pathlib import Path
from typing import Any, NoReturn

import yaml

_MOST_BYTES = 262_144
"""As much as an annotation holds, in which `kubectl apply` keeps the job."""
_MOST_LEVELS, _MOST_VALUES = 50, 10_000
_CHARACTERS_OF_A_VALUE = 100
"""A longer text counts as several values."""

_PLAIN, _MERGE = "plain", "<<"
_TYPES = {f"tag:yaml.org,2002:{name}": types for name, types in {"int": (int,), "float": (int, float), "bool": (bool,)}.items()}
_NULL, _TEXT = "tag:yaml.org,2002:null", "tag:yaml.org,2002:str"
_LIST, _OBJECT = "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"


def _spellings(*words: str) -> list[str]:
    return [spelling for word in words for spelling in (word, word.capitalize(), word.upper())]


_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(["", "~", *_spellings("null")]),
    **dict.fromkeys(_spellings("true", "yes", "on", "y"), True),
    **dict.fromkeys(_spellings("false", "no", "off", "n"), False),
    **dict.fromkeys([sign + name for sign in ("", "+", "-") for name in (".inf", ".Inf", ".INF")], math.inf),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], math.nan),
}
_WHOLE = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|([1-9][0-9]*|0))")
_BASES = (16, 2, 8, 10)
_LONGEST_WHOLE = 70
"""With sign, base and the digits of 64 bits."""
_BETWEEN_DIGITS = re.compile("(?<=[0-9])_(?=[0-9])")
_DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class UnreadableDocument(ValueError):
    """The file cannot be read as one YAML document."""


class _Refused(yaml.MarkedYAMLError):
    """A part of a document is refused by a rule of this module; the problem says what to do."""


def _refuse(problem: str, mark: Any) -> NoReturn:
    raise _Refused(problem=problem, problem_mark=mark)


class _Loader(yaml.SafeLoader):
    """A loader that keeps unquoted texts as they are, and stops at a document that is too deep or too large."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._level, self._deepest, self._values = 0, 0, 0
        self._extents: dict[yaml.Node, tuple[int, int]] = {}

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
        """Return the tag of a node without one."""
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else _TEXT
        return _LIST if kind is yaml.SequenceNode else _OBJECT

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node:
        """Read one node; a reference counts as much as what it refers to."""
        event: yaml.NodeEvent = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.ScalarEvent) and event.tag == "!":
            event.tag = _TEXT
        values, deepest = self._values, self._deepest
        self._level += 1
        self._deepest = self._level
        self._stay_small(event)
        node = super().compose_node(parent, index)
        assert node is not None
        if isinstance(event, yaml.AliasEvent):
            self._count_again(node, event)
        else:
            self._values += 1 + (len(node.value) // _CHARACTERS_OF_A_VALUE if isinstance(node, yaml.ScalarNode) else 0)
            self._extents[node] = self._values - values, self._deepest - self._level
        self._stay_small(event)
        self._level -= 1
        self._deepest = max(deepest, self._deepest)
        return node

    def _count_again(self, node: yaml.Node, event: yaml.AliasEvent) -> None:
        if node not in self._extents:
            _refuse(f"*{event.anchor} repeats a value that contains *{event.anchor} itself; remove it", event.start_mark)
        values, levels = self._extents[node]
        self._values += values
        self._deepest += levels

    def _stay_small(self, event: yaml.NodeEvent) -> None:
        for number, most, what in ((self._deepest, _MOST_LEVELS, "levels"), (self._values, _MOST_VALUES, "values")):
            if number > most:
                _refuse(
                    f"more than {most} {what}, with those that references repeat; an AlignmentJob has fewer", event.start_mark
                )


def parse_document(text: str, name: str) -> Any:
    """Read one YAML document; the name is for messages."""
    try:
        documents = [_value(node) for node in yaml.compose_all(text, _Loader)]
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        advice = "" if isinstance(error, _Refused) else "; correct the line"
        raise UnreadableDocument(f"{name}{line}: {error.problem or 'is not YAML'}{advice}") from error
    except yaml.reader.ReaderError as error:
        number = text.count("\n", 0, error.position) + 1
        raise UnreadableDocument(
            f"{name}:{number}: has the character U+{ord(text[error.position]):04X}, which YAML does not allow; remove it"
        ) from error
    documents = [document for document in documents if document is not None]
    if len(documents) != 1:
        raise UnreadableDocument(f"{name}: holds {len(documents)} documents; give a file with exactly one AlignmentJob")
    return documents[0]


def _value(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode) and node.tag == _OBJECT:
        return _object(node)
    if isinstance(node, yaml.SequenceNode) and node.tag == _LIST:
        return [_value(item) for item in node.value]
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    _refuse(_wrong_tag(node), node.start_mark)


def _object(node: yaml.MappingNode) -> dict[str, Any]:
    found: dict[str, Any] = {}
    written: set[str] = set()
    for key_node, value_node in node.value:
        if key_node.tag == _PLAIN and key_node.value == _MERGE:
            found |= _merged(value_node)
            continue
        key = _key(key_node)
        if key in written:
            _refuse(f"{key!r} is set twice; correct the line", key_node.start_mark)
        written.add(key)
        found[key] = _value(value_node)
    return found


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        _refuse("a list or an object cannot be a key; write the key as text", node.start_mark)
    key = _scalar(node)
    if not isinstance(key, str):
        shown = node.value or "(empty)"
        _refuse(f"the key {shown} is read as {json.dumps(key)}, not as text; write it in quotes", node.start_mark)
    return key


def _merged(node: yaml.Node) -> dict[str, Any]:
    """Return the fields that `<<` adds: of several objects, the first has priority."""
    nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
    merged: dict[str, Any] = {}
    for each in reversed(nodes):
        if not isinstance(each, yaml.MappingNode):
            _refuse("<< needs an object or a list of objects; correct the line", each.start_mark)
        merged |= _object(each)
    return merged


def _scalar(node: yaml.ScalarNode) -> Any:
    text = str(node.value)
    if any("\ud800" <= character <= "\udfff" for character in text):
        _refuse("has half of a character, which only JSON can escape; write the character itself", node.start_mark)
    if node.tag == _TEXT:
        return text
    value = _plain(text)
    if node.tag != _PLAIN and not (value is None if node.tag == _NULL else type(value) in _TYPES.get(node.tag, ())):
        _refuse(_wrong_tag(node), node.start_mark)
    if isinstance(value, float) and not math.isfinite(value):
        _refuse(f"{text} is a number that JSON does not have; write another", node.start_mark)
    return value


def _wrong_tag(node: yaml.Node) -> str:
    tag = node.tag.replace("tag:yaml.org,2002:", "!!")
    return f"the tag {tag} is none of JSON's types, or does not fit to the value; remove it"


def _plain(text: str) -> bool | int | float | str | None:
    """Return what the API server reads in an unquoted text."""
    if text in _WORDS:
        return _WORDS[text]
    digits = _BETWEEN_DIGITS.sub("", text) if text[0] == "." else text.replace("_", "")
    whole = _WHOLE.fullmatch(digits) if text[0] in "+-0123456789" and len(digits) <= _LONGEST_WHOLE else None
    if whole:
        sign, *written = whole.groups()
        value = next(int(sign + part, base) for part, base in zip(written, _BASES, strict=True) if part is not None)
        if -(2**63) <= value < 2**64:
            return value
    if text[0] in "+-.0123456789" and _DECIMAL.fullmatch(digits) and math.isfinite(number := float(digits)):
        # JSON does not distinguish 8.0 from 8.
        return int(number) if number.is_integer() and abs(number) < 2**63 else number
    return text


def read_document(path: Path) -> Any:
    """Read one YAML document from a file."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise UnreadableDocument(f"{path}: there is no such file; check the path") from error
    except IsADirectoryError as error:
        raise UnreadableDocument(f"{path}: is a folder; name a file") from error
    except OSError as error:
        raise UnreadableDocument(f"{path}: cannot be read ({error.strerror}); check the file") from error
    if len(content) > _MOST_BYTES:
        raise UnreadableDocument(f"{path}: is larger than {_MOST_BYTES // 1024} KiB; name the file of an AlignmentJob")
    try:
        return parse_document(content.decode(), str(path))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableDocument(f"{path}:{line}: is not text in UTF-8; save the file as UTF-8") from error


class _Dumper(yaml.SafeDumper):
    """A dumper without anchors that writes text of several lines as a block."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None if _plain(text) == text else "'"
    return dumper.represent_scalar(_TEXT, text, style=style)


_Dumper.add_representer(str, _represent_text)


def write_documents(documents: list[Any]) -> str:
    """Write YAML, one document after the other."""
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, width=130, allow_unicode=True)


def leaf_comments(text: str) -> dict[str, str]:
    """Map the path of each value to the comment at the end of its line; stages are named, other list items counted."""
    lines = text.splitlines()
    comments: dict[str, str] = {}

    def walk(node: yaml.Node, path: str) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                walk(value, f"{path}.{key.value}" if path else key.value)
        elif isinstance(node, yaml.SequenceNode) and node.value and isinstance(node.value[0], yaml.MappingNode):
            for index, item in enumerate(node.value):
                walk(item, f"{path}[{index}]")
        else:
            _, found, comment = lines[node.start_mark.line].partition(" # ")
            comments[path] = comment.strip() if found else ""

    root = yaml.compose(text, yaml.SafeLoader)
    if root is not None:
        walk(root, "")
    return comments
