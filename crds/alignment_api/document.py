"""Reads YAML as the API server does (5e-7 is a number, no key twice, errors with lines), and writes it for people."""

import re
from pathlib import Path
from typing import Any

import yaml

from alignment_api.problems import first_line

_MOST_REFERENCES = 100


class UnreadableDocument(ValueError):
    """The file cannot be read as one YAML document."""


class _Loader(yaml.SafeLoader):
    """A loader that reads numbers as JSON writes them and refuses repeated keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        self.flatten_mapping(node)
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.MarkedYAMLError(problem=f"{key!r} is not text; quote it", problem_mark=key_node.start_mark)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"{key!r} is set twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


# YAML 1.1 reads 5e-7 as text, because it has no dot.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?[0-9][0-9_]*([eE][-+]?[0-9]+)$"),
    list("-+0123456789"),
)


def parse_document(text: str, name: str) -> Any:
    """Read one YAML document; the name is for messages."""
    try:
        _refuse_bombs(text)
        documents = [document for document in yaml.load_all(text, _Loader) if document is not None]
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UnreadableDocument(f"{name}{line}: {error.problem or 'is not YAML'}; correct the line") from error
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise UnreadableDocument(f"{name}: cannot be read as YAML ({first_line(error)}); correct the file") from error
    if len(documents) != 1:
        raise UnreadableDocument(f"{name}: holds {len(documents)} documents; give a file with exactly one AlignmentJob")
    return documents[0]


def _refuse_bombs(text: str) -> None:
    """Refuse a text whose nested references would expand without bound."""
    references = sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader))
    if references > _MOST_REFERENCES:
        raise ValueError(f"{references} references to anchors")


def read_document(path: Path) -> Any:
    """Read one YAML document from a file."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UnreadableDocument(f"{path}: there is no such file; check the path") from error
    except IsADirectoryError as error:
        raise UnreadableDocument(f"{path}: is a folder; name a file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableDocument(f"{path}: cannot be read ({error}); check the file") from error
    return parse_document(text, str(path))


class _Dumper(yaml.SafeDumper):
    """A dumper without anchors that writes text of several lines as a block."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


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
