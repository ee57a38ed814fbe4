"""Each backend renders one attempt of a stage as the objects of one world; pure."""

from typing import Any, Protocol

from alignment_operator.deciding.stage_run import StageRun
from alignment_operator.settings import Settings

Manifest = dict[str, Any]


class Backend(Protocol):
    """How a stage becomes objects."""

    def render(self, run: StageRun, settings: Settings) -> list[Manifest]:
        """Give the objects in the order in which they are created; the last one is the child."""
