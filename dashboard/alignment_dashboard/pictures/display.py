"""How a reader wants to see curves."""

from typing import Literal, NamedTuple


class Display(NamedTuple):
    """The choices above the panels; they hold for all panels at once."""

    smoothing: float = 0.8
    """The weight of the past in the smoothed line; 0 draws only what was measured."""
    log: bool = False
    """Whether panels whose values are all positive have a logarithmic axis."""
    clip: bool = False
    """Whether points far from the rest are left out, and counted in words."""
    axis: Literal["step", "time"] = "step"
    """What the x axis counts: optimizer steps, or the time since the first point of each run."""
    window: tuple[float, float] | None = None
    """The part of the x axis that is drawn, in units of the axis; None draws all."""
