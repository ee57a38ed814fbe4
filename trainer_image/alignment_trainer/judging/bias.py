"""Shows whether a judge favours a place or a length; pure, with the same memory for any number of judgements.

A lean is beyond chance if chance alone would show one as large in less than one of a thousand sets of judgements. Chance is
known exactly: each judgement shuffles its answers by itself, so the ratings given could have stood in any order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from alignment_trainer.judging.aspects import Judged, Score
from alignment_trainer.judging.pairwise import Duel

_CHANCE = 0.001
_FEWEST = 20
"""With fewer judgements that tell their answers apart, no lean is called beyond chance."""


@dataclass
class Lean:
    """A sum that would be about zero without a bias."""

    total: float = 0.0
    variance: float = 0.0
    """Of the sum, if only chance decided."""
    count: int = 0
    """Judgements that could show the bias."""

    def add(self, value: float, variance: float) -> None:
        """Add one judgement; one that rates all alike shows nothing."""
        if variance > 0:
            self.total, self.variance, self.count = self.total + value, self.variance + variance, self.count + 1

    @property
    def mean(self) -> float:
        """Return the lean of an average judgement that could show one."""
        return self.total / self.count if self.count else 0.0

    @property
    def deviations(self) -> float:
        """Return the sum in standard deviations of what chance gives."""
        return self.total / self.variance**0.5 if self.variance else 0.0

    def is_beyond_chance(self, looks: int = 1) -> bool:
        """Return whether chance hardly explains the sum; of several looks at the same judgements each is trusted less."""
        limit = NormalDist().inv_cdf(1 - _CHANCE / max(looks, 1) / 2)
        return self.count >= _FEWEST and abs(self.deviations) > limit


@dataclass
class ScoreBias:
    """What the scores of many prompts show about their judge."""

    places: list[Lean] = field(default_factory=list)
    """For each place, by how much the answer there is rated above the mean of its judgement."""
    length: Lean = field(default_factory=Lean)
    """How longer answers rank among the answers to their prompt."""
    _length_scale: float = 0.0

    def add(self, judged: Judged, answers: Sequence[str]) -> None:
        """Add the scores of one prompt; answers with the same text were shown as one."""
        shown = dict(zip(answers, judged.scores, strict=True))
        for aspect in judged.scores[0] if judged.scores else ():
            scores = [known[aspect] for known in shown.values()]
            if all(score.rating is not None for score in scores):
                by_place = sorted(scores, key=lambda score: score.position)
                self._add_places(np.array([score.rating for score in by_place], dtype=float))
        means = np.array([_mean_rating(scores) for scores in shown.values()])
        if not np.isnan(means).any():
            self._add_lengths(np.array([len(text) for text in shown], dtype=float), means)

    @property
    def length_correlation(self) -> float | None:
        """Return the rank correlation of length and score within a prompt; None where none differ."""
        return self.length.total / self._length_scale if self._length_scale else None

    @property
    def warnings(self) -> list[str]:
        """Return one sentence for each bias that is beyond chance."""
        found = []
        place, lean = max(enumerate(self.places, start=1), key=lambda known: abs(known[1].deviations), default=(0, Lean()))
        if lean.is_beyond_chance(looks=len(self.places)):
            found.append(
                f"the judge looks at the place of an answer: the one at place {place} of {len(self.places)} gets on average "
                f"{abs(lean.mean):.2f} points {'more' if lean.mean > 0 else 'less'} than the mean of its judgement "
                f"({lean.count:,} judgements); the shuffled order keeps this from favouring a responder, but it adds noise"
            )
        if self.length.is_beyond_chance():
            found.append(
                f"{'longer' if self.length.total > 0 else 'shorter'} answers get higher scores: the rank correlation of length "
                f"and score within a prompt is {self.length_correlation:+.2f} ({self.length.count:,} prompts); either they are "
                f"better, or the judge rewards their length: read some of them before you train on the pairs"
            )
        return found

    def _add_places(self, ratings: npt.NDArray[np.float64]) -> None:
        self.places += [Lean() for _ in range(ratings.size - len(self.places))]
        variance = float(ratings.var())
        for place, value in enumerate(ratings - ratings.mean()):
            self.places[place].add(float(value), variance)

    def _add_lengths(self, lengths: npt.NDArray[np.float64], scores: npt.NDArray[np.float64]) -> None:
        if lengths.size < 2:
            return
        long, good = _centred_ranks(lengths), _centred_ranks(scores)
        spread = float((long**2).sum() * (good**2).sum())
        self.length.add(float(long @ good), spread / (lengths.size - 1))
        self._length_scale += spread**0.5


@dataclass
class DuelBias:
    """What many duels show about their judge."""

    place: Lean = field(default_factory=Lean)
    """Duels in which one place won twice: +1 for the first, -1 for the second."""
    length: Lean = field(default_factory=Lean)
    """Decided duels: +1 if the longer answer won, -1 if the shorter one did."""

    def add(self, duel: Duel, first: str, second: str) -> None:
        """Add one duel with the texts of its answers."""
        straight, swapped = duel.first_position
        if straight is not None and straight == swapped and straight != 0.5:
            self.place.add(2 * straight - 1, 1)
        if duel.outcome is not None and duel.outcome != 0.5 and len(first) != len(second):
            first_won = duel.outcome > 0.5
            self.length.add(1 if first_won == (len(first) > len(second)) else -1, 1)

    @property
    def warnings(self) -> list[str]:
        """Return one sentence for each bias that is beyond chance."""
        found = []
        if self.place.is_beyond_chance():
            place = "first" if self.place.total > 0 else "second"
            found.append(
                f"the judge looks at the place of an answer: where it contradicts itself when the order changes, the answer that "
                f"stands {place} wins {_share(self.place)} of {self.place.count:,} times; these duels count as ties"
            )
        if self.length.is_beyond_chance():
            winner = "longer" if self.length.total > 0 else "shorter"
            found.append(
                f"the {winner} answer wins {_share(self.length)} of {self.length.count:,} decided duels; either it is better, or "
                f"the judge rewards its length: read some of them"
            )
        return found


def _mean_rating(scores: Mapping[str, Score]) -> float:
    """Return the mean of an answer's ratings; NaN if one is missing, since the mean of fewer aspects is another measure."""
    return float(np.mean([np.nan if score.rating is None else score.rating for score in scores.values()]))


def _centred_ranks(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return ranks around zero; equal values share theirs."""
    return np.asarray(np.sign(values[:, None] - values).sum(axis=1) / 2.0)


def _share(lean: Lean) -> str:
    return f"{(lean.count + abs(lean.total)) / 2:,.0f}"
