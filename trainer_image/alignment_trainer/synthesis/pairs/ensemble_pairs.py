"""Has an ensemble answer a prompt and a judge score the answers, and makes the row of the pair."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alignment_trainer.endpoints.question import Answer, Ask, Question, Unanswered
from alignment_trainer.endpoints.together import all_ended
from alignment_trainer.judging.aspects import OVERALL, judge_aspects
from alignment_trainer.settings.feedback import EnsembleSettings, PairSettings
from alignment_trainer.synthesis.made import LeftOut, Outcome
from alignment_trainer.synthesis.pairs.ensemble import Ensemble, Turn
from alignment_trainer.synthesis.pairs.judged import Given, JudgedFile, JudgedPrompt
from alignment_trainer.synthesis.pairs.pair_rows import pair_outcome
from alignment_trainer.synthesis.pairs.pairing import why_not_judged
from alignment_trainer.synthesis.prompts import Prompt, with_system
from alignment_trainer.synthesis.provenance import who

_CUT = "cut"

OwnAnswers = Mapping[str, Answer | Unanswered]
"""What the job's own models have answered, by `own_key`."""


def own_key(prompt: Prompt, turn: Turn) -> str:
    """Return the key of one answer of the job's own models."""
    return f"{prompt.key}/{turn.sample}"


@dataclass(frozen=True)
class EnsemblePairs:
    """Makes the rows of a stage, prompt by prompt."""

    settings: EnsembleSettings
    pairs: PairSettings
    ensemble: Ensemble
    ask: Ask
    own: OwnAnswers
    judged: JudgedFile

    async def __call__(self, prompt: Prompt) -> Outcome:
        """Return the row of a prompt, or why it has none."""
        turns = self.ensemble.turns(prompt.key)
        replies = await all_ended(self._answer(prompt, turn) for turn in turns)
        given = [
            self._given(turn, reply) for turn, reply in zip(turns, replies, strict=True) if self._why_unusable(reply) is None
        ]
        if why := why_not_judged([answer.text for answer in given]):
            is_asked_again = any(self._is_asked_again(turn, reply) for turn, reply in zip(turns, replies, strict=True))
            return LeftOut(why, self._detail(turns, replies), has_failed=why == "few_answers", asks_again=is_asked_again)
        judged = await self._judge(prompt, given)
        self.judged.add(judged)
        outcome = pair_outcome(prompt, judged.scored(), self.pairs, who(self.settings.judge))
        if isinstance(outcome, LeftOut) and outcome.reason == "unscored" and judged.judged.failures:
            detail = f"judge: {_counted(judged.judged.failures)}"
            return LeftOut(outcome.reason, detail, has_failed=True)
        return outcome

    async def _answer(self, prompt: Prompt, turn: Turn) -> Answer | Unanswered:
        server = self.settings.members[turn.responder].server
        if server is None:
            return self.own[own_key(prompt, turn)]
        messages = with_system(prompt.messages, turn.principle and turn.principle.text)
        return await self.ask(server, Question(messages, self.settings.sampling, turn.seed, turn.sample))

    async def _judge(self, prompt: Prompt, given: Sequence[Given]) -> JudgedPrompt:
        aspects = [OVERALL] if self.pairs.score == "Overall" else self.pairs.aspects
        settings, texts = self.settings, [answer.text for answer in given]
        judged = await judge_aspects(
            self.ask, settings.judge, settings.judge_sampling, prompt.messages, texts, aspects, self.pairs.seed
        )
        return JudgedPrompt(prompt.key, prompt.messages, given, judged)

    def _given(self, turn: Turn, reply: Answer | Unanswered) -> Given:
        assert isinstance(reply, Answer)
        member = self.settings.members[turn.responder]
        base_url = member.server and member.server.endpoint.base_url
        return Given(
            member.name, base_url, reply.text, reply.finish, turn.sample, turn.seed, turn.principle and turn.principle.name
        )

    def _why_unusable(self, reply: Answer | Unanswered) -> str | None:
        if isinstance(reply, Unanswered):
            return reply.reason
        return _CUT if reply.finish == "length" and not self.settings.keeps_cut else None

    def _is_asked_again(self, turn: Turn, reply: Answer | Unanswered) -> bool:
        """Return whether another attempt asks this of a server; the job's own models would say the same."""
        return isinstance(reply, Unanswered) and self.settings.members[turn.responder].server is not None

    def _detail(self, turns: Sequence[Turn], replies: Sequence[Answer | Unanswered]) -> str:
        """Return who gave no usable answer and why, such as: 2 large: Timeout, 1 small: cut."""
        names = [self.settings.members[turn.responder].name for turn in turns]
        found = ((name, self._why_unusable(reply)) for name, reply in zip(names, replies, strict=True))
        return _counted(Counter(f"{name}: {why}" for name, why in found if why))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())
