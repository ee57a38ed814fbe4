"""Generates the CustomResourceDefinition from the models: `python -m alignment_api.generated.crd`."""

import copy
import sys
from typing import Any

from pydantic import BaseModel

from alignment_api.document import write_documents
from alignment_api.generated.admission import ADMISSION_RULES
from alignment_api.names import GROUP, KIND, PLURAL, VERSION
from alignment_api.spec.job import AlignmentJobSpec
from alignment_api.spec.status import AlignmentJobStatus

Node = dict[str, Any]


def custom_resource_definition() -> Node:
    """Build the whole definition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["aj"],
                "categories": ["alignment"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": printer_columns(),
                    "schema": {"openAPIV3Schema": _root_schema()},
                }
            ],
        },
    }


def printer_columns() -> list[Node]:
    """List the columns of `kubectl get aj`; those of priority 1 need `-o wide`."""
    columns = [
        ("Stage", ".status.currentStage", "string", 0),
        ("Status", ".status.phase", "string", 0),
        ("Progress", ".status.progress", "string", 0),
        ("ETA", ".status.eta", "string", 0),
        ("Model", ".status.model", "string", 0),
        ("GPUs", ".status.gpus", "integer", 0),
        ("Age", ".metadata.creationTimestamp", "date", 0),
        ("Queue", ".spec.queueName", "string", 1),
        ("Run", ".status.tracking.runId", "string", 1),
        ("Reason", ".status.reason", "string", 1),
    ]
    return [
        {"name": name, "jsonPath": path, "type": kind} | ({"priority": priority} if priority else {})
        for name, path, kind, priority in columns
    ]


def structural_schema(model: type[BaseModel]) -> Node:
    """Turn a model into a structural schema: no references, no nulls, only keywords that the API server knows."""
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})
    return _structural(schema, definitions)


def _root_schema() -> Node:
    schema: Node = {
        "type": "object",
        "description": "One alignment of one model, from base weights to a measured result.",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural_schema(AlignmentJobSpec),
            "status": structural_schema(AlignmentJobStatus),
        },
    }
    for rule in ADMISSION_RULES:
        node = schema
        for name in rule.path:
            node = node["properties"][name]
        node.setdefault("x-kubernetes-validations", []).append({"rule": rule.cel, "message": rule.message})
    return schema


def _structural(node: Node, definitions: dict[str, Node]) -> Node:
    node = _inlined(node, definitions)
    for dropped in ("title", "default", "additionalProperties") if "properties" in node else ("title", "default"):
        node.pop(dropped, None)
    for exclusive, plain in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if exclusive in node:
            node[plain], node[exclusive] = node[exclusive], True
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if node.get("propertyNames"):
        node.pop("propertyNames")
    if "properties" in node:
        node["properties"] = {name: _structural(child, definitions) for name, child in node["properties"].items()}
    for inner in ("items", "additionalProperties"):
        if isinstance(node.get(inner), dict):
            node[inner] = _structural(node[inner], definitions)
    return node


def _inlined(node: Node, definitions: dict[str, Node]) -> Node:
    """Replace references and optional alternatives by their definitions; the field's own description wins."""
    node = dict(node)
    alternatives = [option for option in node.pop("anyOf", []) if option.get("type") != "null"]
    if alternatives:
        assert len(alternatives) == 1, f"a union cannot be structural: {alternatives}"
        node = {**_inlined(alternatives[0], definitions), **node}
    if "$ref" in node:
        name = node.pop("$ref").rsplit("/", 1)[1]
        node = {**_inlined(copy.deepcopy(definitions[name]), definitions), **node}
    return node


def custom_resource_definition_text() -> str:
    """Return the text of the file that people apply."""
    head = "# Generated from crds/alignment_api/spec/job.py by `make generate`; edit that instead.\n"
    return head + write_documents([custom_resource_definition()])


if __name__ == "__main__":
    sys.stdout.write(custom_resource_definition_text())
