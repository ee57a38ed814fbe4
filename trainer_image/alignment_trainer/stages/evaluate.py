"""Models of the job are measured in the same tasks, and compared row by row."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from accelerate import PartialState
from alignment_api.run_config import RunConfig

from alignment_trainer.evaluation.limits import check_failures
from alignment_trainer.evaluation.measuring import Measuring
from alignment_trainer.evaluation.progress import Progress
from alignment_trainer.evaluation.publishing import main_scores, publish_end, publish_report, publish_samples
from alignment_trainer.evaluation.report import report_of
from alignment_trainer.evaluation.stopping import stopping_soon
from alignment_trainer.evaluation.tasks import open_tasks
from alignment_trainer.failures import Stopped
from alignment_trainer.settings.evaluation import evaluation_settings
from alignment_trainer.synthesis.first_process import on_first_process
from alignment_trainer.workspace.activity import working


def run(config: RunConfig) -> None:
    """Measure each model in each task, and publish one table."""
    with stopping_soon():
        with working("opening its tasks"):
            tasks = open_tasks(config)
        with working("looking at its models"):
            measuring = Measuring(config, evaluation_settings(config), tasks)
            measuring.check()
            measuring.forget_other_rows()
        progress = Progress(config, measuring.total, measuring.kept)
        with progress.reported(), _finished_published(config, measuring):
            measuring.run(progress)
        on_first_process(lambda: _publish(config, measuring, progress))


@contextmanager
def _finished_published(config: RunConfig, measuring: Measuring) -> Iterator[None]:
    """If the measuring fails, publish the tasks that are finished; one that is stopped on request goes on soon."""
    try:
        yield
    except Stopped:
        raise
    except Exception as failure:
        if PartialState().is_main_process:
            # The launcher stops this process when another one has failed too.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _publish_finished(config, measuring, failure)
        raise


def _publish_finished(config: RunConfig, measuring: Measuring, failure: Exception) -> None:
    try:
        with working("writing the report of what is finished"):
            measured = list(measuring.measured())
            if measured:
                missing = measuring.missing(measured, failure)
                publish_report(config, report_of(measuring.candidates, measured, missing), measured)
    except OSError as error:
        # The failure of the stage must reach the operator, also from a full disk.
        print(f"the report of what is finished could not be written ({error})", file=sys.stderr, flush=True)


def _publish(config: RunConfig, measuring: Measuring, progress: Progress) -> None:
    with working("writing the report"):
        measured = list(measuring.measured())
        report = report_of(measuring.candidates, measured)
        publish_report(config, report, measured)
    check_failures(measured, [candidate.name for candidate in measuring.candidates])
    publish_samples(config, report, measured)
    progress.finish(main_scores(report))
    publish_end(config, report)
