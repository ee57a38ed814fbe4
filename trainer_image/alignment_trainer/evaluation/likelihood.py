"""Measures rows by what a model finds likely: each process some batches, each row once, whatever the number of processes."""

import inspect
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from accelerate import PartialState
from alignment_api.results.evaluation import EvaluatedRow

from alignment_trainer.asking.answering import readable_tokens, ready_to_answer
from alignment_trainer.evaluation.row_file import RowFile
from alignment_trainer.evaluation.subject import Subject
from alignment_trainer.synthesis.sampling.batches import Batch, batches
from alignment_trainer.synthesis.student import batch_bytes

_SHARE_OF_GPU = 8
"""The logits of a batch take at most an eighth of the GPU, in 16 and in 32 bit together."""
_LOGIT_BYTES = 6
_SHARES = 64
"""Into so many batches rows are dealt at least, as far as their number allows: most have several texts."""


class Text(NamedTuple):
    """Tokens of which the likelihood of the later ones is wanted."""

    ids: list[int]
    start: int
    """The position of the first token whose likelihood is wanted; at least 1, since nothing predicts the first token."""


class Item(NamedTuple):
    """A row with the texts that are computed for it, in one batch."""

    row: str
    """`EvaluatedRow.row`."""
    texts: Sequence[Text]


NOT_FINITE = "the model finds a likelihood of it that is not a finite number; its weights may be broken"
Unread = Callable[[Item, str], EvaluatedRow]
"""Returns the row of an item without a score, from the reason."""
Evaluated = Callable[[Item, list[list[float]]], EvaluatedRow]
"""Returns the row of an item, from the log-probabilities of the wanted tokens of each of its texts."""


def measure_items(subject: Subject, items: Sequence[Item], file: RowFile, evaluated: Evaluated, unread: Unread) -> None:
    """Append a row for each item that is not known; all processes call this alike.

    `unread` returns that of an item that cannot be measured: it is too long, or the model finds no likelihood of it.
    """
    known, state = file.known(), PartialState()
    longest = readable_tokens(subject.model)
    fits = [longest is None or max(len(text.ids) for text in item.texts) <= longest for item in items]
    if state.is_main_process:
        file.append(
            _too_long(item, longest, unread) for item, fit in zip(items, fits, strict=True) if not fit and item.row not in known
        )
    planned = _planned(subject, [item for item, fit in zip(items, fits, strict=True) if fit])
    left = [rest for batch in planned if (rest := [item for item in batch if item.row not in known])]
    with ready_to_answer(subject.model, subject.device):
        for batch in left[state.process_index :: state.num_processes]:
            texts = [text for item in batch for text in item.texts]
            found = iter(log_probabilities(subject, texts))
            each = [(item, [next(found) for _ in item.texts]) for item in batch]
            file.append(evaluated(item, logps) if _are_numbers(logps) else unread(item, NOT_FINITE) for item, logps in each)


def log_probabilities(subject: Subject, texts: Sequence[Text]) -> list[list[float]]:
    """Return the log-probabilities of the wanted tokens of some texts, computed in one batch, padded after their ends."""
    longest = max(len(text.ids) for text in texts)
    # Every position before the first wanted one is only read.
    first = min(text.start for text in texts) - 1
    padding = subject.tokenizer.pad_token_id
    ids = torch.tensor([text.ids + [padding] * (longest - len(text.ids)) for text in texts], device=subject.device)
    mask = torch.tensor([[1] * len(text.ids) + [0] * (longest - len(text.ids)) for text in texts], device=subject.device)
    logits = _logits(subject, ids, mask, first)
    return [_of_text(logits[index], text, first) for index, text in enumerate(texts)]


def _logits(subject: Subject, ids: torch.Tensor, mask: torch.Tensor, first: int) -> torch.Tensor:
    """Return the logits from a position on; most models compute no others then."""
    inputs = {"input_ids": ids, "attention_mask": mask, "use_cache": False}
    if "logits_to_keep" not in inspect.signature(subject.model.forward).parameters:
        everything: torch.Tensor = subject.model(**inputs).logits[:, first:]
        return everything
    wanted: torch.Tensor = subject.model(**inputs, logits_to_keep=ids.shape[1] - first).logits
    return wanted


def _of_text(logits: torch.Tensor, text: Text, first: int) -> list[float]:
    # A logit predicts the token after it.
    wanted = logits[text.start - 1 - first : len(text.ids) - 1 - first].float()
    targets = torch.tensor(text.ids[text.start :], device=logits.device)
    found: list[float] = (wanted.gather(1, targets.unsqueeze(1)).squeeze(1) - wanted.logsumexp(dim=-1)).tolist()
    return found


def _planned(subject: Subject, items: Sequence[Item]) -> list[list[Item]]:
    """Plan the same batches on any number of processes, since in 16 bit a batch mate may change the last digit of a logit.

    Rows that are known are left out of them afterwards: another attempt may then differ in that digit, which `exact` prevents.
    """
    lengths = {place: max(len(text.ids) for text in item.texts) for place, item in enumerate(items)}
    most_texts = max((len(item.texts) for item in items), default=1)
    room = 1 if subject.exact else most_tokens(subject) // most_texts
    planned: list[Batch] = batches(lengths, 0, room, _SHARES)
    return [[items[place] for place in batch] for batch in planned]


def most_tokens(subject: Subject) -> int:
    """Return how many tokens a batch may have, so that its logits fit beside the weights."""
    of_token = _LOGIT_BYTES * int(subject.model.config.get_text_config().vocab_size)
    return batch_bytes(subject.device, _SHARE_OF_GPU) // of_token


def _too_long(item: Item, longest: int | None, unread: Unread) -> EvaluatedRow:
    # Rows are counted by their reason, so it is the same whatever their length.
    row = unread(item, f"it has more tokens than the {longest} that the model reads")
    return row.model_copy(update={"details": {**row.details, "tokens": max(len(text.ids) for text in item.texts)}})


def _are_numbers(found: Sequence[Sequence[float]]) -> bool:
    return all(math.isfinite(sum(logps)) for logps in found)
