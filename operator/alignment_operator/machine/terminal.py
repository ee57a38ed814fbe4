"""Shows a local job: live bars on a terminal, or a line per change and per tenth of a stage in a file."""

from pathlib import Path
from types import TracebackType
from typing import Self

from alignment_api import metrics
from alignment_api.durations import readable_duration
from alignment_api.progress.asked import asked_so_far, is_of_rows
from alignment_api.spec.job import AlignmentJob
from alignment_api.spec.status import AlignmentJobStatus, StageStatus
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from alignment_operator.machine.judged import judged_lines
from alignment_operator.machine.metric_changes import metric_changes

_STYLES = {
    "Running": "blue",
    "Succeeded": "green",
    "Failed": "red",
    "Restarting": "yellow",
    "Suspended": "yellow",
}
_WITH_NEWS = ("Pending", "Restarting", "Failed", "Suspended")
_SHORT = {metrics.LOSS: "loss", metrics.REWARD_MARGIN: "margin", metrics.REWARD_ACCURACY: "accuracy"}


class Printer(Console):
    """A console that raises BrokenPipeError if its reader has ended; rich itself would exit."""

    def on_broken_pipe(self) -> None:
        """Raise the error that rich is handling."""
        raise


class TerminalView:
    """Follows one job until it ends."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._last: dict[str, str] = {}
        self._note: str | None = None

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live:
            self._live.stop()

    def show(self, status: AlignmentJobStatus) -> None:
        """Show the current status."""
        if self._live:
            self._live.update(Group(_bars(status), *([Text(self._note, style="yellow")] if self._note else [])))
            return
        for stage in status.stages or []:
            tenths = stage.progress.percent // 10 if stage.progress else 0
            milestone = f"{stage.state} {stage.attempts} {tenths} {stage.message if _has_news(stage) else ''}"
            if (stage.state != "Waiting" or stage.reason) and self._last.get(stage.name) != milestone:
                self._last[stage.name] = milestone
                self._console.print(_line(stage), markup=False, highlight=False, soft_wrap=True)

    def note(self, sentence: str | None) -> None:
        """Show a sentence about this machine, below the job on a terminal, until there is another or none."""
        if sentence and sentence != self._note and not self._live:
            self._console.print(sentence, markup=False, highlight=False, soft_wrap=True)
        self._note = sentence


def summary_table(job: AlignmentJob, folders: dict[str, Path]) -> Table:
    """Return a table that sums up a job that has ended or stopped."""
    table = Table(title=f"{job.metadata.name}: {job.status.phase if job.status else 'Pending'}", title_justify="left")
    for column in ("stage", "state", "steps", "time"):
        table.add_column(column, justify="left" if column in ("stage", "state") else "right")
    table.add_column("what changed")
    for stage in (job.status.stages if job.status else None) or []:
        moved = [f"{change.name} {change.first:.4g} → {change.last:.4g}" for change in metric_changes(folders[stage.name])]
        moved += judged_lines(folders[stage.name])
        moved += asked_so_far(stage.progress, with_round=False) if stage.progress else []
        steps = f"{stage.progress.step}/{stage.progress.total_steps}" if stage.progress else ""
        spent = (
            readable_duration((stage.completion_time - stage.start_time).total_seconds())
            if stage.start_time and stage.completion_time
            else ""
        )
        table.add_row(stage.name, Text(stage.state, style=_STYLES.get(stage.state, "")), steps, spent, "\n".join(moved))
    return table


def _bars(status: AlignmentJobStatus) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    for stage in status.stages or []:
        percent = 100 if stage.state == "Succeeded" else stage.progress.percent if stage.progress else 0
        grid.add_row(
            stage.name,
            Text(stage.state, style=_STYLES.get(stage.state, "dim")),
            ProgressBar(total=100, completed=percent, width=30),
            f"{percent:3d}%",
            _details(stage),
        )
    notes = [Text(f"{stage.name}: {stage.message}", style="dim") for stage in status.stages or [] if _has_news(stage)]
    return Group(grid, *notes)


def _has_news(stage: StageStatus) -> bool:
    return stage.message is not None and (stage.state in _WITH_NEWS or (stage.state == "Waiting" and stage.reason is not None))


def _details(stage: StageStatus) -> str:
    progress = stage.progress
    doing = [stage.message] if stage.reason == "Preparing" and stage.message else []
    if progress is None:
        return "  ".join(doing)
    parts = [*doing] if is_of_rows(progress) else [*doing, f"{progress.step}/{progress.total_steps}"]
    parts += [f"{_SHORT[name]} {value:.4g}" for name, value in (progress.metrics or {}).items() if name in _SHORT]
    # What is measured at this moment is in its message, with all that is done so far.
    parts += [stage.message] if stage.reason == "MeasuringRows" and stage.message else asked_so_far(progress)
    if stage.state == "Running" and progress.seconds_left is not None:
        parts.append(f"{readable_duration(progress.seconds_left)} left")
    return "  ".join(parts)


def _line(stage: StageStatus) -> str:
    news = stage.message if _has_news(stage) else None
    return "  ".join(part for part in (f"{stage.name}: {stage.state.lower()}", _details(stage), news) if part)
