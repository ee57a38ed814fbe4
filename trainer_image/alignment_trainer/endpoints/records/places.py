"""Remembers where the answers of many keys are."""

from array import array
from collections.abc import Iterator

import numpy as np

_UNSORTED = 8192


class Places:
    """Where the answers of many keys are, in 16 bytes for each."""

    def __init__(self, found: Iterator[tuple[int, int]]) -> None:
        keys, places = array("Q"), array("Q")
        for key, place in found:
            keys.append(key)
            places.append(place)
        self._keys, self._places = np.array(keys, np.uint64), np.array(places, np.uint64)
        self._new: dict[int, int] = {}
        self._sort()

    def get(self, key: int) -> int | None:
        """Return the place of a key."""
        if key in self._new:
            return self._new[key]
        # Of several lines with one key, the newest: an earlier one may be damaged.
        index = int(np.searchsorted(self._keys, np.uint64(key), side="right")) - 1
        found = index >= 0 and int(self._keys[index]) == key
        return int(self._places[index]) if found else None

    def add(self, key: int, place: int) -> None:
        """Add a key, or replace its place."""
        self._new[key] = place
        if len(self._new) >= _UNSORTED:
            self._keys = np.concatenate([self._keys, np.array(list(self._new), np.uint64)])
            self._places = np.concatenate([self._places, np.array(list(self._new.values()), np.uint64)])
            self._new = {}
            self._sort()

    def _sort(self) -> None:
        order = np.argsort(self._keys, kind="stable")
        self._keys, self._places = self._keys[order], self._places[order]
