"""The values of a tree and their paths."""

from typing import Any

import pytest
from alignment_api.trees import Keys, below, leaves


@pytest.mark.parametrize(
    ("tree", "opens_all_lists", "found"),
    [
        (3, False, [((), 3)]),
        ({"a": {"b": 1}, "c": None}, False, [(("a", "b"), 1), (("c",), None)]),
        ({"a": [{"b": 1}, {"b": 2}]}, False, [(("a", 0, "b"), 1), (("a", 1, "b"), 2)]),
        ({"a": ["x", "y"]}, False, [(("a",), ["x", "y"])]),
        ({"a": ["x", "y"]}, True, [(("a", 0), "x"), (("a", 1), "y")]),
        ({"a": [], "b": {}}, False, [(("a",), [])]),
        ({"a": [], "b": {}}, True, []),
    ],
)
def test_leaves(tree: Any, opens_all_lists: bool, found: list[tuple[Keys, Any]]) -> None:
    assert list(leaves(tree, opens_all_lists)) == found


@pytest.mark.parametrize(
    ("path", "keys", "written"),
    [("spec", ("stages", 0, "sft"), "spec.stages[0].sft"), ("spec", (), "spec"), ("", ("spec", "model"), ".spec.model")],
)
def test_paths(path: str, keys: Keys, written: str) -> None:
    assert below(path, keys) == written
