"""What the evaluate stages before an export have measured of its model."""

from collections.abc import Iterator
from pathlib import Path

from alignment_api.names import DONE_FILE, REPORT_FILE
from alignment_api.results.evaluation import EvaluationReport, Score
from alignment_api.results.reading import read_report
from alignment_api.run_config import RunConfig
from alignment_api.spec.lineage import stages_before


def scores_of(config: RunConfig, model: str, weights: str) -> Iterator[tuple[str, Score]]:
    """Yield the main scores of these weights of a model, each with the stage that measured it.

    Stages that are not done are left out, and those that measured the model before it was trained again.
    """
    for stage in stages_before(config.spec, config.stage):
        folder = Path(config.paths.stage).parent / stage.name
        if stage.kind != "evaluate" or not ((folder / DONE_FILE).exists() and (folder / REPORT_FILE).exists()):
            continue
        report = read_report(EvaluationReport, (folder / REPORT_FILE).read_bytes(), str(folder / REPORT_FILE))
        if not any(measured.name == model and measured.weights == weights for measured in report.models):
            continue
        yield from ((stage.name, score) for score in report.scores if score.model == model and score.is_main)
