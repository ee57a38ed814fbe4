"""The prompts of a job, in one file of the job's folder, so that each stage and each attempt asks the same ones."""

import sys
from pathlib import Path
from typing import Any

from alignment_api.files import set_aside, write_whole
from pydantic import BaseModel, ValidationError

from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.forms.messages import Text, said

_FILE = "prompts.json"


class Prompt(BaseModel):
    """A prompt, and how its held-out row answers it: one answer of a dialogue, or the two of a pair."""

    key: str
    """The same for the same row, in whatever job."""
    stage: str
    prompt: Text
    tools: list[dict[str, Any]] | None = None
    reference: Text | None = None
    chosen: Text | None = None
    rejected: Text | None = None

    @property
    def example(self) -> Dialogue | Pair:
        """Return the prompt with its answers as a row has them."""
        if self.chosen is not None and self.rejected is not None:
            return Pair(self.prompt, self.chosen, self.rejected, self.tools)
        return Dialogue(self.prompt, self.reference or "", self.tools)

    @property
    def texts(self) -> dict[str, str]:
        """Return the prompt and its answers as people read them."""
        parts = {name: getattr(self, name) for name in ("prompt", "chosen", "rejected", "reference")}
        return {name: readable(part) for name, part in parts.items() if part is not None}


class JobPrompts(BaseModel):
    """All prompts of a job, and for each stage whose held-out rows they were drawn from a hash of what decides the draw."""

    drawn: dict[str, str] = {}
    prompts: list[Prompt] = []


def read_prompts(job: Path) -> JobPrompts:
    """Read the prompts of a job; none until they are written, or if their file is damaged."""
    path = job / _FILE
    try:
        return JobPrompts.model_validate_json(path.read_bytes()) if path.exists() else JobPrompts()
    except ValidationError:
        print(f"{set_aside(path)} was damaged; the prompts to ask are drawn anew", file=sys.stderr, flush=True)
        return JobPrompts()


def write_prompts(job: Path, prompts: JobPrompts) -> None:
    """Write the prompts into the job's folder."""
    write_whole(job / _FILE, prompts.model_dump_json(indent=1, exclude_none=True))


def readable(text: Text) -> str:
    """Return a text, the content of a single message, or several messages, each after its role."""
    if isinstance(text, str):
        return text.strip()
    if len(text) == 1:
        return said(text[0]).strip()
    return "\n\n".join(f"{message['role']}: {said(message).strip()}" for message in text)
