"""A document as tokens: which of them count for perplexity, and where they are in its text."""

from itertools import pairwise
from typing import Any, NamedTuple

from alignment_trainer.data.tasks.documents import Document
from alignment_trainer.data.tokens import IGNORED, UNCUT, dialogue_tokens
from alignment_trainer.evaluation.windows import Window
from alignment_trainer.reading.bad_row import BadRow


class Encoded(NamedTuple):
    """The tokens of a document."""

    ids: list[int]
    counts: list[bool]
    """Whether a token counts: in a text all do, in a dialogue those of answers, with the tokens that end them."""
    text: str | None = None
    starts: list[int] | None = None
    """Where each token begins in the text, in characters; None where the tokenizer does not tell, and for a dialogue."""

    def counted(self, window: Window) -> list[bool]:
        """Return which of the tokens that a window predicts count."""
        return self.counts[window.first : window.end]

    def words(self, window: Window) -> int | None:
        """Return how many words begin within what a window predicts."""
        piece = self._piece(window)
        if piece is None or self.text is None:
            return None
        before = " " if piece.start == 0 else self.text[piece.start - 1]
        signs = before + self.text[piece.start : piece.stop]
        return sum(one.isspace() and not other.isspace() for one, other in pairwise(signs))

    def bytes(self, window: Window) -> int | None:
        """Return how many bytes of the text a window predicts."""
        piece = self._piece(window)
        return None if piece is None or self.text is None else len(self.text[piece.start : piece.stop].encode())

    def _piece(self, window: Window) -> range | None:
        if self.starts is None or self.text is None:
            return None
        end = self.starts[window.end] if window.end < len(self.starts) else len(self.text)
        return range(self.starts[window.first], end)


def encode(document: Document, tokenizer: Any) -> Encoded:
    """Return a document's tokens; raise BadRow if the chat template cannot write it, or if it has no answer."""
    if isinstance(document, str):
        return _text(document, tokenizer)
    tokens, _ = dialogue_tokens(document, tokenizer, assistant_only=True, max_length=UNCUT)
    if tokens is None:
        raise BadRow("has no answer, and only answers count in a dialogue; remove it")
    return Encoded(tokens["input_ids"], [label != IGNORED for label in tokens["labels"]])


def _text(text: str, tokenizer: Any) -> Encoded:
    found = tokenizer(text, return_offsets_mapping=tokenizer.is_fast, verbose=False)
    ids = list(found["input_ids"])
    starts = [start for start, _ in found["offset_mapping"]] if tokenizer.is_fast else None
    if ids and ids[-1] == tokenizer.eos_token_id and not text.endswith(tokenizer.eos_token):
        # Some tokenizers end every text with a token that the text does not have.
        ids, starts = ids[:-1], starts and starts[:-1]
    return Encoded(ids, [True] * len(ids), text, starts)
