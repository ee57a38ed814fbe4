"""Draws who answers a prompt, with which seed and under which principle; pure."""

import random
from typing import NamedTuple

from alignment_api.spec.settings.synthesis import Principles

from alignment_trainer.synthesis.drawing import drawn_seed
from alignment_trainer.synthesis.pairs.principles import Principle, principle_of


class Turn(NamedTuple):
    """One answer that is to be given to a prompt."""

    responder: int
    """Which model of the ensemble gives it."""
    sample: int
    """Which answer of the prompt it is."""
    seed: int
    principle: Principle | None


class Ensemble(NamedTuple):
    """What the turns of all prompts are drawn from."""

    size: int
    answers_per_prompt: int
    principles: Principles | None
    seed: int

    def turns(self, key: str) -> list[Turn]:
        """Draw the turns of a prompt; no model answers again before all have answered."""
        chance = random.Random(f"{self.seed}/{key}/responders")
        drawn: list[int] = []
        while len(drawn) < self.answers_per_prompt:
            drawn += chance.sample(range(self.size), self.size)
        return [self._turn(key, sample, drawn[sample]) for sample in range(self.answers_per_prompt)]

    def _turn(self, key: str, sample: int, responder: int) -> Turn:
        return Turn(responder, sample, drawn_seed(self.seed, key, sample), principle_of(self.principles, self.seed, key, sample))
