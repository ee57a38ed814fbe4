"""The request to the process that proves a written folder, and its answer; both are files."""

from pathlib import Path

from alignment_api.results.export import Fidelity
from pydantic import BaseModel

from alignment_trainer.exporting.texts import Text
from alignment_trainer.forms.messages import Message


class Rendered(BaseModel):
    """Messages, and the tokens that the original's tokenizer makes of them."""

    messages: list[Message] | None
    """None where the model has no chat template, and the tokens are those of `text`."""
    text: str
    ids: list[int]


class Compared(BaseModel):
    """A text on which models are compared."""

    ids: list[int]
    measured: list[bool]

    @classmethod
    def of(cls, text: Text) -> "Compared":
        """Return the part of a text that is compared."""
        return cls(ids=text.ids, measured=text.measured)


class Request(BaseModel):
    """Which folder is proven, and against what."""

    folder: Path
    weights: str
    """The hash of the weights when they were written."""
    device: str
    rendered: list[Rendered]
    ends: list[int]
    """The tokens at which an answer of the original ends."""
    progress: Path
    """The file that gets the number of compared tokens."""
    original: Path | None = None
    """None if only the form of the folder is checked."""
    compared: list[Compared] = []


class Likeness(BaseModel):
    """What a proof has measured."""

    original: Fidelity
    rounded: Fidelity
    written: Fidelity
    tokens: int


class Proven(BaseModel):
    """What the process has found."""

    weights: str
    faults: list[str]
    """Ends of sentences that begin with the folder's name: what makes it useless for serving."""
    predicts_numbers: bool = True
    """False if the model or the original predicts NaN or infinity, and there is nothing to compare."""
    ends_its_answers: bool | None = None
    likeness: Likeness | None = None
