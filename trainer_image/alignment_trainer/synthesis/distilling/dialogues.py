"""Has a teacher and a simulated user write a dialogue of several turns."""

from alignment_trainer.endpoints.question import Answer, Ask, Message, Question
from alignment_trainer.settings.servers import Server
from alignment_trainer.settings.synthesis import DistillSettings
from alignment_trainer.synthesis.distilling.simulated_user import (
    NEXT_TEMPLATE,
    OPENING_TEMPLATE,
    asked_to_go_on,
    asked_to_open,
    message_of,
)
from alignment_trainer.synthesis.drawing import drawn_seed, shared
from alignment_trainer.synthesis.made import LeftOut, Outcome
from alignment_trainer.synthesis.prompts import Prompt, with_system
from alignment_trainer.synthesis.provenance import provenance, who


class Dialogues:
    """Makes a dialogue of a prompt: each turn asks once, so that a stopped dialogue goes on where it ended."""

    def __init__(self, settings: DistillSettings, ask: Ask) -> None:
        self._settings, self._ask = settings, ask

    async def __call__(self, prompt: Prompt) -> Outcome:
        """Return the dialogue, or why there is none; of a dialogue in which one turn is missing, nothing is kept."""
        teacher = shared(self._settings.teachers, self._settings.seed, prompt.key)
        said = await self._opened(prompt, teacher)
        answers: list[Answer] = []
        for turn in range(self._settings.turns):
            if isinstance(said, list) and turn:
                said = await self._asked_on(prompt, teacher, said, turn)
            if isinstance(said, LeftOut):
                return said
            answer = await self._answer(prompt, teacher, said, turn)
            if isinstance(answer, LeftOut):
                return answer
            answers.append(answer)
            said = [*said, {"role": "assistant", "content": answer.text}]
        return [{"messages": said, "provenance": self._provenance(prompt, teacher, answers)}]

    async def _opened(self, prompt: Prompt, teacher: Server) -> list[Message] | LeftOut:
        """Return the messages before the first answer: the prompt itself, or a question about it."""
        if self._settings.prompts_are == "Questions":
            return list(prompt.messages)
        *before, topic = prompt.messages
        question = await self._question(prompt, teacher, asked_to_open(topic["content"]), 0, OPENING_TEMPLATE)
        return question if isinstance(question, LeftOut) else [*before, question]

    async def _asked_on(self, prompt: Prompt, teacher: Server, said: list[Message], turn: int) -> list[Message] | LeftOut:
        question = await self._question(prompt, teacher, asked_to_go_on(said), turn, NEXT_TEMPLATE)
        return question if isinstance(question, LeftOut) else [*said, question]

    async def _question(
        self, prompt: Prompt, teacher: Server, asked: tuple[Message, ...], turn: int, template: str
    ) -> Message | LeftOut:
        seed = drawn_seed(self._settings.seed, prompt.key, turn, "user")
        # Half a question cannot be answered.
        question = Question(asked, self._settings.sampling, seed, template=template, needs_end=True)
        reply = await self._ask(self._settings.user or teacher, question)
        if not isinstance(reply, Answer):
            return LeftOut(reply.reason, reply.detail, has_failed=True)
        text = message_of(reply.text)
        if not text:
            detail = "the model that asks in the user's place wrote no message"
            return LeftOut("no_question", detail, has_failed=True, asks_again=False)
        return {"role": "user", "content": text}

    async def _answer(self, prompt: Prompt, teacher: Server, said: list[Message], turn: int) -> Answer | LeftOut:
        messages = with_system(tuple(said), self._settings.system_prompt)
        seed = drawn_seed(self._settings.seed, prompt.key, turn)
        answer = await self._ask(teacher, Question(messages, self._settings.sampling, seed))
        if not isinstance(answer, Answer):
            return LeftOut(answer.reason, answer.detail, has_failed=True)
        if answer.finish == "length" and not self._settings.keeps_cut:
            return LeftOut("cut")
        return answer

    def _provenance(self, prompt: Prompt, teacher: Server, answers: list[Answer]) -> dict[str, object]:
        user = self._settings.user or teacher
        templates = [OPENING_TEMPLATE] if self._settings.prompts_are == "Topics" else []
        templates += [NEXT_TEMPLATE] if len(answers) > 1 else []
        asks = {"user": who(user)} if templates else {}
        seed = drawn_seed(self._settings.seed, prompt.key, 0)
        return {**provenance(teacher, prompt, seed, answers, "+".join(templates)), **asks}
