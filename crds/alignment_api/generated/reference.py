"""Generates the reference of all fields from the CRD's schema: `python -m alignment_api.generated.reference`."""

import sys
from collections.abc import Iterator
from typing import Any

from alignment_api.generated.crd import custom_resource_definition

Node = dict[str, Any]

_HEAD = """\
# AlignmentJob, field by field

Generated from crds/alignment_api/spec/job.py by `make generate`; edit that instead. No hyperparameter has a default in
the schema: what a spec leaves out comes from its recipe, then from the defaults, and `alignment explain job.yaml` shows which.
`[]` marks the items of a list.
"""


def reference_text() -> str:
    """Return the text of the page."""
    schema = custom_resource_definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    parts = [_HEAD]
    for part in ("spec", "status"):
        parts.append(f"\n## {part}\n\n| field | type | meaning |\n|---|---|---|\n")
        parts += [f"| `{path}` | {kind} | {meaning} |\n" for path, kind, meaning in _rows(schema["properties"][part], part)]
        parts += _rules(schema["properties"][part], part)
    parts.append("\n## Rules between spec and status\n\n")
    parts += [f"- {rule['message']}\n" for rule in schema["x-kubernetes-validations"]]
    return "".join(parts)


def _rows(node: Node, path: str) -> Iterator[tuple[str, str, str]]:
    for name, child in node.get("properties", {}).items():
        here = f"{path}.{name}"
        yield here, _kind(child), child.get("description", "").replace("|", "\\|")
        if "items" in child:
            yield from _rows(child["items"], f"{here}[]")
        else:
            yield from _rows(child, here)


def _rules(node: Node, path: str) -> list[str]:
    places: dict[str, list[str]] = {}
    for place, message in _messages(node, path):
        places.setdefault(message, []).append(f"`{place}`")
    lines = [f"- {', '.join(there)}: {message}\n" for message, there in places.items()]
    return [f"\n### Rules within {path}\n\n", *lines] if lines else []


def _messages(node: Node, path: str) -> Iterator[tuple[str, str]]:
    """Yield each rule's place below a node, and its message."""
    for rule in node.get("x-kubernetes-validations", []):
        yield path, rule["message"]
    for name, child in node.get("properties", {}).items():
        yield from _messages(child.get("items", child), f"{path}.{name}" + ("[]" if "items" in child else ""))


def _kind(node: Node) -> str:
    if "enum" in node:
        return " \\| ".join(str(value) for value in node["enum"])
    if "x-kubernetes-int-or-string" in node:
        return "integer or string"
    if node["type"] == "array":
        return f"list of {_kind(node['items'])}"
    if isinstance(node.get("additionalProperties"), dict):
        return f"map of {_kind(node['additionalProperties'])}"
    return f"{node['type']}{_bounds(node)}"


def _bounds(node: Node) -> str:
    low, high = node.get("minimum"), node.get("maximum")
    if low is None and high is None:
        return ""
    return (f", {'above' if node.get('exclusiveMinimum') else 'from'} {low:g}" if low is not None else "") + (
        f", {'below' if node.get('exclusiveMaximum') else 'to'} {high:g}" if high is not None else ""
    )


if __name__ == "__main__":
    sys.stdout.write(reference_text())
