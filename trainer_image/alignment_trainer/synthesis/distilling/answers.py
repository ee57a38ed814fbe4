"""Has a teacher answer each prompt."""

from alignment_trainer.endpoints.question import Answer, Ask, Question
from alignment_trainer.settings.synthesis import DistillSettings
from alignment_trainer.synthesis.drawing import drawn_seed, shared
from alignment_trainer.synthesis.made import LeftOut, Outcome
from alignment_trainer.synthesis.prompts import Prompt, with_system
from alignment_trainer.synthesis.provenance import provenance


class Answers:
    """Makes a dialogue of a prompt and the answer of one of the teachers."""

    def __init__(self, settings: DistillSettings, ask: Ask) -> None:
        self._settings, self._ask = settings, ask

    async def __call__(self, prompt: Prompt) -> Outcome:
        """Return the dialogue, or why there is none."""
        teacher = shared(self._settings.teachers, self._settings.seed, prompt.key)
        seed = drawn_seed(self._settings.seed, prompt.key, 0)
        messages = with_system(prompt.messages, self._settings.system_prompt)
        answer = await self._ask(teacher, Question(messages, self._settings.sampling, seed))
        if not isinstance(answer, Answer):
            return LeftOut(answer.reason, answer.detail, has_failed=True)
        if answer.finish == "length" and not self._settings.keeps_cut:
            return LeftOut("cut")
        asked = [*prompt.messages, {"role": "assistant", "content": answer.text}]
        return [{"messages": asked, "provenance": provenance(teacher, prompt, seed, [answer])}]
