"""The CustomResourceDefinition is generated from the models, is structural, and accepts what the models accept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from alignment_api.document import read_document
from alignment_api.generated.crd import custom_resource_definition, custom_resource_definition_text
from builders import a_document

ROOT = Path(__file__).parents[3]
CRD = custom_resource_definition()
SCHEMA = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
# What the API server allows in a structural schema, of what we use.
ALLOWED = {
    "type",
    "description",
    "properties",
    "required",
    "items",
    "additionalProperties",
    "enum",
    "format",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
    "x-kubernetes-int-or-string",
    "x-kubernetes-validations",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
}


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    for name, child in node.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for inner in ("items", "additionalProperties"):
        if inner in node:
            yield from nodes(node[inner], f"{path}[]")


def type_of(node: dict[str, Any]) -> str:
    return "integer or string" if node.get("x-kubernetes-int-or-string") else str(node["type"])


ALL = list(nodes(SCHEMA))


def test_the_file_has_no_signs_that_yaml_readers_take_for_line_breaks() -> None:
    assert custom_resource_definition_text().replace("\n", "").isprintable()


def test_the_committed_file_is_what_the_models_generate() -> None:
    committed = (ROOT / "crds/alignmentjobs.yaml").read_text()
    assert committed == custom_resource_definition_text(), "run `make generate`"


@pytest.mark.parametrize(("path", "node"), ALL, ids=[path for path, _ in ALL])
def test_every_node_is_structural(path: str, node: dict[str, Any]) -> None:
    assert set(node) <= ALLOWED
    # What may be a number or text has no type of its own.
    assert type_of(node) in ("object", "array", "string", "integer", "number", "boolean", "integer or string")
    assert ("type" in node) != ("x-kubernetes-int-or-string" in node)
    assert ("items" in node) == (type_of(node) == "array")
    for bound in ("exclusiveMinimum", "exclusiveMaximum"):
        assert not isinstance(node.get(bound, True), float)


@pytest.mark.parametrize(("path", "node"), [(path, node) for path, node in ALL if path.startswith(".spec")])
def test_every_field_of_the_spec_is_described_and_bounded(path: str, node: dict[str, Any]) -> None:
    if path != ".spec" and not path.endswith("[]"):
        assert node.get("description")
    bounds = {
        "string": {"maxLength", "enum"},
        "array": {"maxItems"},
        "integer": {"minimum"},
        "number": {"minimum"},
        "integer or string": {"maxLength"},
    }.get(type_of(node), set())
    assert not bounds or bounds & set(node), f"{path} has no bound"


def test_hyperparameters_have_no_defaults_in_the_schema() -> None:
    assert not [path for path, node in ALL if "default" in node]


def test_columns() -> None:
    columns = CRD["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [column["name"] for column in columns if not column.get("priority")] == [
        "Stage",
        "Status",
        "Progress",
        "ETA",
        "Model",
        "GPUs",
        "Age",
    ]
    assert [column["name"] for column in columns if column.get("priority")] == ["Queue", "Run", "Reason"]
    for column in columns:
        if not column["jsonPath"].startswith(".metadata"):
            assert column["jsonPath"] in [path for path, _ in ALL]


def test_the_schema_accepts_what_the_models_accept() -> None:
    validator = jsonschema.Draft4Validator(SCHEMA)
    for document in [a_document(), *(read_document(path) for path in sorted((ROOT / "examples").glob("*.yaml")))]:
        assert list(validator.iter_errors(document)) == []


@pytest.mark.parametrize(
    "spec",
    [{"queueName": "Not A Name"}, {"compute": {"nodes": 0}}, {"restart": {"stallTimeoutSeconds": 1}}, {"stages": []}],
)
def test_the_schema_refuses_what_the_models_refuse(spec: dict[str, Any]) -> None:
    assert list(jsonschema.Draft4Validator(SCHEMA).iter_errors(a_document(**spec)))
