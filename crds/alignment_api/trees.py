"""Walks a tree of dictionaries and lists, and writes the path of each value."""

from collections.abc import Iterator
from typing import Any

Keys = tuple[str | int, ...]


def leaves(tree: Any, opens_all_lists: bool = False) -> Iterator[tuple[Keys, Any]]:
    """Yield each value of a tree with the keys that lead to it; a list of plain values is one value, unless all are opened."""
    items: Any = None
    if isinstance(tree, dict):
        items = tree.items()
    elif isinstance(tree, list) and (opens_all_lists or (tree and isinstance(tree[0], dict))):
        items = enumerate(tree)
    if items is None:
        yield (), tree
        return
    for key, item in items:
        for keys, value in leaves(item, opens_all_lists):
            yield (key, *keys), value


def below(path: str, keys: Keys) -> str:
    """Write the path that keys lead to: below("spec", ("stages", 0)) is spec.stages[0]."""
    return path + "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
