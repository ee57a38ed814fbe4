"""Sums up what the judge said about each model of an ensemble, which models the pairs are made of, and how the judge leans."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from alignment_api import metrics
from alignment_api.problems import Problem
from alignment_api.run_config import RunConfig

from alignment_trainer.forms.pairs.judged import Scored
from alignment_trainer.judging.aspects import OVERALL
from alignment_trainer.judging.bias import ScoreBias
from alignment_trainer.settings.given import stage_path
from alignment_trainer.synthesis.made import LeftOut, Outcome
from alignment_trainer.synthesis.pairs.judged import JudgedPrompt
from alignment_trainer.synthesis.publishing import publish_rows
from alignment_trainer.synthesis.writing import Report
from alignment_trainer.workspace.journal import Journal
from alignment_trainer.workspace.stage_warnings import warn


class FeedbackReport(NamedTuple):
    """What manifest, journal and status show of a feedback stage."""

    manifest: dict[str, Any]
    metrics: dict[str, float]
    warnings: list[str]


def publish_pairs(config: RunConfig, report: Report, tally: "Tally") -> None:
    """Publish the rows of a stage with what its answers got; a judge that leans becomes a warning of the stage."""
    for outcome in report.made.in_order():
        tally.add_outcome(outcome)
    found, stage = tally.report(), Path(config.paths.stage)
    Journal(stage).append(report.made.done, found.metrics, {})
    warn(stage, [Problem(stage_path(config), warning) for warning in found.warnings])
    publish_rows(config, report, feedback=found.manifest)


class Tally:
    """Counts prompt by prompt, in the same memory for any number of prompts."""

    def __init__(self) -> None:
        self._totals: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._answers: Counter[str] = Counter()
        self._used: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._bias = ScoreBias()
        self._failures: Counter[str] = Counter()
        self._missing: Counter[str] = Counter()
        self._repairs = 0

    def add_scored(self, answers: Iterable[Scored]) -> None:
        """Add the scores of a prompt."""
        for answer in answers:
            self._answers[answer.model] += 1
            self._missing.update(answer.missing.values())
            overall = {} if answer.overall is None else {OVERALL: answer.overall}
            for aspect, score in {**answer.aspects, **overall}.items():
                self._totals[answer.model][aspect] += score
                self._counts[answer.model][aspect] += 1

    def add_judged(self, prompt: JudgedPrompt) -> None:
        """Add a prompt that this stage had judged."""
        self.add_scored(prompt.scored())
        self._bias.add(prompt.judged, [answer.text for answer in prompt.given])
        self._failures.update(prompt.judged.failures)
        self._repairs += prompt.judged.repairs

    def add_outcome(self, outcome: Outcome) -> None:
        """Add what became of a prompt."""
        for row in [] if isinstance(outcome, LeftOut) else outcome:
            for which in ("chosen", "rejected"):
                self._used[row["provenance"][which].get("model", "")][which] += 1

    def report(self) -> FeedbackReport:
        """Return the sums of all prompts so far."""
        means = {
            model: {aspect: total / self._counts[model][aspect] for aspect, total in totals.items()}
            for model, totals in self._totals.items()
        }
        measured = {metrics.judged_score_of(model, aspect): mean for model, of in means.items() for aspect, mean in of.items()}
        return FeedbackReport(self._manifest(means), {**measured, **self._leans()}, self._bias.warnings)

    def _manifest(self, means: dict[str, dict[str, float]]) -> dict[str, Any]:
        models = {
            model: {
                "judgedAnswers": self._answers[model],
                "means": {aspect: round(mean, 4) for aspect, mean in means.get(model, {}).items()},
                "scored": dict(self._counts[model]),
                "chosen": self._used[model]["chosen"],
                "rejected": self._used[model]["rejected"],
            }
            for model in sorted(self._answers)
        }
        places = [{"lean": round(lean.mean, 4), "judgements": lean.count} for lean in self._bias.places]
        judge = {
            "failures": dict(self._failures),
            "missingScores": dict(self._missing),
            "repairs": self._repairs,
            "places": places,
            "lengthCorrelation": self._bias.length_correlation,
        }
        return {"models": models, "judge": judge}

    def _leans(self) -> dict[str, float]:
        places = {metrics.judged_place_of(place): lean.mean for place, lean in enumerate(self._bias.places, start=1)}
        correlation = self._bias.length_correlation
        return {**places, **({} if correlation is None else {metrics.LENGTH_CORRELATION: correlation})}
