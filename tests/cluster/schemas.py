"""Writes the API server's schemas for kubeconform, such that unknown fields are refused."""

import json
from pathlib import Path
from typing import Any

from cluster.kubectl import Kubectl, Object

_INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"


def write_schemas(kubectl: Kubectl, folder: Path) -> str:
    """Write one file per kind, and return the schema location for kubeconform."""
    definitions: dict[str, Object] = json.loads(kubectl("get", "--raw", "/openapi/v2"))["definitions"]
    closed = {name: _closed(definition) for name, definition in definitions.items()}
    # OpenAPI 2 cannot express this type and calls it a string.
    closed[_INT_OR_STRING] = {"type": ["string", "integer"]}
    for name, definition in definitions.items():
        for kind in definition.get("x-kubernetes-group-version-kind", []):
            file = "-".join(filter(None, [kind["kind"], kind["group"].split(".")[0], kind["version"]])).lower()
            (folder / f"{file}.json").write_text(json.dumps({"$ref": f"#/definitions/{name}", "definitions": closed}))
    return f"{folder}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json"


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "x-kubernetes-preserve-unknown-fields" not in schema:
        closed.setdefault("additionalProperties", False)
    return closed
