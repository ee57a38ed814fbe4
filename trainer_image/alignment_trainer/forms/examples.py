"""What a row is after its form is read: a dialogue or a pair."""

from typing import Any, NamedTuple

from alignment_trainer.forms.messages import Text


class Dialogue(NamedTuple):
    """A row for supervised fine-tuning; if it has a prompt, only the answer is learned."""

    prompt: Text | None
    answer: Text
    tools: list[dict[str, Any]] | None = None
    """Descriptions of the tools that the assistant may call, as chat templates take them."""
    unlearned: frozenset[int] = frozenset()
    """The positions in `answer` of assistant messages that the row excludes from the loss."""

    @property
    def parts(self) -> tuple[Text, ...]:
        """Return everything that is written in the row."""
        return (self.answer,) if self.prompt is None else (self.prompt, self.answer)

    @property
    def answers(self) -> tuple[Text, ...]:
        """Return what is answered to the prompt."""
        return (self.answer,)


class Pair(NamedTuple):
    """A row for preference optimization: one prompt and two answers."""

    prompt: Text
    chosen: Text
    rejected: Text
    tools: list[dict[str, Any]] | None = None
    """Descriptions of the tools that the assistant may call, as chat templates take them."""

    @property
    def parts(self) -> tuple[Text, ...]:
        """Return everything that is written in the row."""
        return (self.prompt, self.chosen, self.rejected)

    @property
    def answers(self) -> tuple[Text, ...]:
        """Return what is answered to the prompt."""
        return (self.chosen, self.rejected)
