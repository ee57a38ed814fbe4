"""The reports of a job, from the files of its stages, and why some are missing."""

from collections.abc import Iterable
from typing import NamedTuple

from alignment_api.results.evaluation import EvaluationReport
from alignment_api.results.export import ExportReport
from alignment_api.results.proofs import Exported
from alignment_api.results.reading import UnreadableReport, read_report
from alignment_api.results.table import Measured
from alignment_api.spec.kinds import KINDS


class ReportFile(NamedTuple):
    """What a stage has reported."""

    stage: str
    kind: str
    content: bytes | None
    """None if there is no report."""
    name: str
    """Where it is, for messages."""


class Reports(NamedTuple):
    """All that a job has reported."""

    evaluations: tuple[Measured, ...] = ()
    exports: tuple[Exported, ...] = ()
    problems: tuple[str, ...] = ()
    """A sentence for each stage whose report is missing or broken."""


def reports(kind: str) -> bool:
    """Return whether stages of a kind write a report."""
    return kind in KINDS and KINDS[kind].reports


def collected(job: str, files: Iterable[ReportFile]) -> Reports:
    """Read the reports of a job."""
    evaluations, exports, problems = list[Measured](), list[Exported](), list[str]()
    for file in files:
        try:
            if file.content is None:
                problems.append(f"Stage {file.stage} has no report yet; it writes one at its end.")
            elif KINDS[file.kind].leaves == "Report":
                evaluations.append(Measured(job, file.stage, read_report(EvaluationReport, file.content, file.name)))
            else:
                exports.append(Exported(job, file.stage, read_report(ExportReport, file.content, file.name)))
        except UnreadableReport as error:
            problems.append(str(error))
    return Reports(tuple(evaluations), tuple(exports), tuple(problems))
