"""Writes the API server's schemas for kubeconform, such that unknown fields are refused."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster.kubectl import Kubectl, Object

_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
_DEFINITIONS = "#/definitions/"


def write_schemas(kubectl: Kubectl, folder: Path) -> str:
    """Write one file per kind, and return the schema location for kubeconform."""
    definitions: dict[str, Object] = json.loads(kubectl("get", "--raw", "/openapi/v2"))["definitions"]
    closed = {name: _closed(definition) for name, definition in definitions.items()}
    # OpenAPI 2 cannot express this type and calls it a string.
    closed[_INT_OR_STRING] = {"type": ["string", "integer"]}
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            file = "-".join(filter(None, [kind["kind"], kind["group"].split(".")[0], kind["version"]])).lower()
            # Only what the kind consists of: all definitions of the server are megabytes.
            used = {part: closed[part] for part in _parts(name, closed)}
            (folder / f"{file}.json").write_text(json.dumps({"$ref": f"{_DEFINITIONS}{name}", "definitions": used}))
    return f"{folder}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"


def _parts(name: str, definitions: dict[str, Any]) -> set[str]:
    """Return the names of all definitions that one consists of, and its own."""
    found, open_names = {name}, [name]
    while open_names:
        more = set(_references(definitions[open_names.pop()])) - found
        found |= more
        open_names += more
    return found


def _references(schema: Any) -> Iterator[str]:
    values = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for value in values:
        if isinstance(value, str) and value.startswith(_DEFINITIONS):
            yield value.removeprefix(_DEFINITIONS)
        yield from _references(value)


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "x-kubernetes-preserve-unknown-fields" not in schema:
        closed.setdefault("additionalProperties", False)
    return closed
