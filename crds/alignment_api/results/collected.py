"""The reports of a job, from the files of its stages, and why some are missing."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from alignment_api.results.evaluation import EvaluationReport
from alignment_api.results.export import ExportReport
from alignment_api.results.proofs import Exported
from alignment_api.results.reading import UnreadableReport, read_report
from alignment_api.results.standing import Standing, standing_sentence
from alignment_api.results.table import Measured
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.stages import Stage
from alignment_api.spec.status import AlignmentJobStatus, StageState


class Reporting(NamedTuple):
    """A stage that reports, as it is now."""

    kind: str
    input_hash: str | None = None
    """None if it is not known."""
    state: StageState | None = None


class ReportFile(NamedTuple):
    """What a stage has reported."""

    stage: str
    kind: str
    content: bytes | None
    """None if there is no report."""
    name: str
    """Where it is, for messages."""
    standing: Standing = "Final"


class Reports(NamedTuple):
    """All that a job has reported."""

    evaluations: tuple[Measured, ...] = ()
    exports: tuple[Exported, ...] = ()
    problems: tuple[str, ...] = ()
    """A sentence for each stage whose report is missing or broken."""

    def signs(self) -> list[str]:
        """Return a sentence for each stage whose figures are not its last word."""
        known: list[Measured | Exported] = [*self.evaluations, *self.exports]
        found = [standing_sentence(one.stage, one.standing) for one in known]
        return [sentence for sentence in found if sentence]


def reports(kind: str) -> bool:
    """Return whether stages of a kind write a report."""
    return kind in KINDS and KINDS[kind].reports


def reporting(stages: Iterable[Stage], status: AlignmentJobStatus | None) -> Mapping[str, Reporting]:
    """Return the stages that report, by their names."""
    known = {stage.name: stage for stage in (status.stages if status else None) or []}
    found = {stage.name: Reporting(stage.kind) for stage in stages if reports(stage.kind)}
    return {
        name: one._replace(input_hash=known[name].input_hash, state=known[name].state) if name in known else one
        for name, one in found.items()
    }


def collected(job: str, files: Iterable[ReportFile]) -> Reports:
    """Read the reports of a job."""
    evaluations, exports, problems = list[Measured](), list[Exported](), list[str]()
    for file in files:
        try:
            if file.content is None:
                problems.append(f"Stage {file.stage} has no report yet; it writes one at its end.")
            elif KINDS[file.kind].leaves == "Report":
                measured = read_report(EvaluationReport, file.content, file.name)
                evaluations.append(Measured(job, file.stage, measured, file.standing))
            else:
                written = read_report(ExportReport, file.content, file.name)
                exports.append(Exported(job, file.stage, written, file.standing))
        except UnreadableReport as error:
            problems.append(str(error))
    return Reports(tuple(evaluations), tuple(exports), tuple(problems))
