"""How far equal runs with different seeds lie apart."""

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import NamedTuple

from alignment_dashboard.units import write_number


class Spread(NamedTuple):
    """The mean of some values; one value alone has neither a standard deviation nor a standard error."""

    mean: float
    size: int
    deviation: float | None
    """Standard deviation of the values (n - 1 in the denominator)."""

    @property
    def error(self) -> float | None:
        """Return the standard error of the mean."""
        return None if self.deviation is None else self.deviation / math.sqrt(self.size)

    def write(self) -> str:
        """Write the mean with four significant digits, and its standard error, if there is one."""
        mean = f"{self.mean:#.4g}" if 1e-3 <= abs(self.mean) < 1e4 else write_number(self.mean)
        return mean + ("" if self.error is None else f" ± {write_number(float(f'{self.error:.2g}'))}")


def spread_of(values: Sequence[float]) -> Spread | None:
    """Return the spread of values; None if there are none, and no deviation where a value is NaN or infinite."""
    if not values:
        return None
    if not all(map(math.isfinite, values)):
        return Spread(math.nan, len(values), None)
    return Spread(fmean(values), len(values), stdev(values) if len(values) > 1 else None)
