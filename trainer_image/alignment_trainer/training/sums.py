"""Sums with their counts, over micro batches and processes: what makes a mean exact."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from accelerate import PartialState


class Measured(NamedTuple):
    """A sum, and over how many rows or tokens; without these it is an amount, and no mean of anything."""

    total: torch.Tensor
    over: torch.Tensor | None = None


class Sums:
    """What was added up since it was last read; all processes add the same names."""

    def __init__(self) -> None:
        self._sums: dict[str, torch.Tensor] = {}
        self._amounts: set[str] = set()

    def add(self, measured: Mapping[str, Measured], weight: int = 1) -> None:
        """Add what one micro batch gave; with weight 0, only its names."""
        for name, (total, over) in measured.items():
            if over is None:
                self._amounts.add(name)
            pair = torch.stack([total.double(), torch.zeros_like(total) if over is None else over]).double() * weight
            self._sums[name] = self._sums[name] + pair if name in self._sums else pair

    def take(self) -> dict[str, float]:
        """Give means and amounts over all processes, and begin anew; a mean over nothing is left out."""
        names = sorted(self._sums)
        if not names:
            return {}
        table = torch.stack([self._sums[name] for name in names])
        self._sums = {}
        if PartialState().num_processes > 1:
            torch.distributed.all_reduce(table)
        return {
            name: total if name in self._amounts else total / count
            for name, (total, count) in zip(names, table.tolist(), strict=True)
            if count or name in self._amounts
        }
