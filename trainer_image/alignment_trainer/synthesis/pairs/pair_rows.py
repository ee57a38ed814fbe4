"""Writes a pair of scored answers as a row, with all that its scores can be checked by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alignment_trainer.forms.pairs.judged import Scored, judged_answers
from alignment_trainer.settings.feedback import PairSettings
from alignment_trainer.synthesis.made import LeftOut, Outcome
from alignment_trainer.synthesis.pairs.pairing import Ranked, ScoredPair, pair_of
from alignment_trainer.synthesis.prompts import Prompt


def pair_outcome(prompt: Prompt, answers: Sequence[Scored], settings: PairSettings, judge: Mapping[str, str] | None) -> Outcome:
    """Return the row of a prompt's pair, or why there is none."""
    pair = pair_of(prompt.key, answers, settings)
    return [_row(prompt, pair, settings, judge)] if isinstance(pair, ScoredPair) else LeftOut(pair)


@dataclass(frozen=True)
class JudgedPairs:
    """Makes the rows of answers that were judged before the job."""

    settings: PairSettings

    async def __call__(self, prompt: Prompt) -> Outcome:
        """Return the row of a prompt, or why it has none."""
        answers = judged_answers(prompt.row, needs_overall=self.settings.score == "Overall")
        return pair_outcome(prompt, answers, self.settings, judge=None)


def _row(prompt: Prompt, pair: ScoredPair, settings: PairSettings, judge: Mapping[str, str] | None) -> dict[str, Any]:
    provenance: dict[str, Any] = {
        "key": prompt.key,
        "judge": judge,
        "seed": settings.seed,
        "score": settings.score,
        "margin": pair.margin,
        "chosen": _answer(pair.chosen),
        "rejected": _answer(pair.rejected),
    }
    if settings.score == "MeanOfAspects" and _counted(pair.chosen, settings) != _counted(pair.rejected, settings):
        provenance["comparesDifferentAspects"] = True
    return {
        "prompt": list(prompt.messages),
        "chosen": [{"role": "assistant", "content": pair.chosen.answer.text}],
        "rejected": [{"role": "assistant", "content": pair.rejected.answer.text}],
        "provenance": {name: value for name, value in provenance.items() if value is not None},
    }


def _counted(ranked: Ranked, settings: PairSettings) -> set[str]:
    """Return the aspects whose mean the score is."""
    return {aspect for aspect in settings.aspects if aspect in ranked.answer.aspects}


def _answer(ranked: Ranked) -> dict[str, Any]:
    answer = ranked.answer
    found = {"model": answer.model, "score": ranked.score, "aspects": dict(answer.aspects), **answer.about}
    return {name: value for name, value in found.items() if value not in (None, "", {})}
