"""One colour and line style per run, the same on every page."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from alignment_api.spec.job import AlignmentJob

from alignment_dashboard.data.listing import identify

# Okabe and Ito's palette, which colour-blind people can tell apart, without black and with a darker yellow; then the same
# colours with other lines.
LIGHT = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#A58B00")
DARK = ("#56B4E9", "#E69F00", "#2FC79C", "#E09CC3", "#F0E442", "#D9D9D9", "#F2836B")
DASHES = ("solid", "dashed", "dash-dotted")
MUTED = {False: "#5F6B76", True: "#9AA4AE"}
"""The colour of what says nothing new, in the light and in the dark theme."""
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class Look(NamedTuple):
    """How the lines of a run are drawn."""

    light: str
    dark: str
    dash: str

    def colour(self, dark: bool) -> str:
        """Return the colour in a theme."""
        return self.dark if dark else self.light


def looks(jobs: Iterable[AlignmentJob]) -> dict[str, Look]:
    """Return the look of each job by its identity; it follows from the order of creation, so new jobs change none."""
    ordered = sorted(jobs, key=lambda job: (job.metadata.creation_timestamp or _LONG_AGO, identify(job)))
    return {identify(job): _look(number) for number, job in enumerate(ordered)}


def _look(number: int) -> Look:
    round_, colour = divmod(number, len(LIGHT))
    return Look(LIGHT[colour], DARK[colour], DASHES[round_ % len(DASHES)])
