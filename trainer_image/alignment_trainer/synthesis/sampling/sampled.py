"""Answers of a model of the job on the volume: each process appends whole batches to a file of its own."""

from collections.abc import Sequence, Set
from typing import NamedTuple

from alignment_trainer.endpoints.question import Answer
from alignment_trainer.synthesis.sampling.process_lines import ProcessLines


class Said(NamedTuple):
    """An answer, and the key of its prompt."""

    key: str
    answer: Answer


class SampledBatches(ProcessLines):
    """The files of one folder; a line holds one batch, so that a batch is there whole or not at all."""

    def append(self, said: list[Said]) -> None:
        """Write a batch."""
        self.append_line({"answers": [{"key": one.key, **vars(one.answer)} for one in said]})

    def known(self) -> set[str]:
        """Return the keys of the prompts whose answers are written, by any process of any attempt."""
        return {answer["key"] for line in self.lines() for answer in line["answers"]}

    def await_all(self, seen: Sequence[dict[str, int]], wanted: Set[str], patience: float | None = None) -> None:
        """Wait until this process sees the answers that all processes wrote."""
        self.await_lines(seen, wanted, self.known, "answers", patience)

    def read(self) -> dict[str, Answer]:
        """Return all answers by the keys of their prompts; a batch that two attempts drew has the same answers in both."""
        return {
            answer.pop("key"): Answer(**answer) for line in self.lines() for answer in line["answers"] if isinstance(answer, dict)
        }
