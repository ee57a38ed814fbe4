"""Generates the CustomResourceDefinition from the models: `python -m alignment_api.crd`."""

import copy
import sys
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from alignment_api.document import write_documents
from alignment_api.job import AlignmentJobSpec, AlignmentJobStatus
from alignment_api.names import GROUP, JOB_NAME_MAXIMUM, KIND, PLURAL, VERSION
from alignment_api.stages import STAGE_KINDS

Node = dict[str, Any]

_NAME_RULE = {
    "rule": f"self.metadata.name.size() <= {JOB_NAME_MAXIMUM} && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    "message": f"the name must begin with a small letter, hold only small letters, digits and '-', and be at most "
    f"{JOB_NAME_MAXIMUM} characters long: pods are named after it",
}
# A stage that runs or has succeeded keeps its settings, or its result would no longer be what the spec says.
_BEGUN_RULE = {
    "rule": "!has(oldSelf.status) || !has(oldSelf.status.stages) || !has(oldSelf.spec.stages) || "
    "oldSelf.status.stages.all(seen, !(seen.state in ['Running', 'Succeeded']) || "
    "!oldSelf.spec.stages.exists(old, old.name == seen.name) || "
    "(has(self.spec.stages) && self.spec.stages.exists(new, new.name == seen.name && "
    "oldSelf.spec.stages.exists(old, old.name == seen.name && "
    + " && ".join(
        f"has(old.{kind}) == has(new.{kind}) && (!has(old.{kind}) || old.{kind} == new.{kind})"
        for kind in ("model", *map(to_camel, STAGE_KINDS))
    )
    + "))))",
    "message": "a stage that is running or has succeeded keeps its settings; suspend the job first, or apply it as another job",
}
_BEGUN_MODEL_RULE = {
    "rule": "!has(oldSelf.status) || !has(oldSelf.status.stages) || "
    "!oldSelf.status.stages.exists(seen, seen.state in ['Running', 'Succeeded']) || "
    "(has(self.spec.model) == has(oldSelf.spec.model) && (!has(self.spec.model) || self.spec.model == oldSelf.spec.model) && "
    "has(self.spec.recipe) == has(oldSelf.spec.recipe) && (!has(self.spec.recipe) || self.spec.recipe == oldSelf.spec.recipe))",
    "message": "model and recipe stay as they are once a stage is running or has succeeded; apply it as another job",
}


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
    """Turn a model into a structural schema: nothing shared, nothing nullable, nothing the API server does not know."""
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.pop("$defs", {})
    return _structural(schema, definitions)


def _root_schema() -> Node:
    return {
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
        "x-kubernetes-validations": [_NAME_RULE, _BEGUN_RULE, _BEGUN_MODEL_RULE],
    }


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
    """Replace references and optional alternatives by what they stand for; the field's own description wins."""
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
    """Write the definition as the file that people apply."""
    head = "# Generated from crds/alignment_api/job.py by `make generate`; edit that instead.\n"
    return head + write_documents([custom_resource_definition()])


if __name__ == "__main__":
    sys.stdout.write(custom_resource_definition_text())
