"""The model's head at answer tokens: log-probabilities, the loss and its gradient in one pass over the vocabulary.

The reference's values are known beforehand. So the gradient of a pair's loss can be computed as soon as its log-probabilities
are known, from the same logits: they are neither kept for the backward pass nor computed again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import linear

from alignment_trainer.training.measurements import AnswerSums

Losses = Callable[[torch.Tensor, range], torch.Tensor]
"""Computes the losses of some pairs from the log-probabilities of their answers."""

MOST_BYTES = 256 * 2**20
"""At most this many bytes of logits exist at once; the logits of a pair that needs more are computed twice."""


@dataclass
class Question:
    """The targets of one forward, and its measurements once it has run."""

    targets: torch.Tensor
    counts: Sequence[tuple[int, int]]
    """The number of predicted tokens of each pair's chosen and rejected answer."""
    losses: Losses | None
    """None where only log-probabilities are wanted."""
    answers: AnswerSums | None = None


class AnswerHead:
    """Replaces the forward of a model's head: returns the mean loss of pairs while a question is set, otherwise logits."""

    def __init__(self, head: Any, most_bytes: int = MOST_BYTES) -> None:
        self.question: Question | None = None
        self._head = head
        self._logits = head.forward
        self._most_bytes = most_bytes
        head.forward = self

    def __call__(self, hidden: torch.Tensor) -> torch.Tensor:
        """Run the head on hidden states."""
        if self.question is None:
            logits: torch.Tensor = self._logits(hidden)
            return logits
        loss: torch.Tensor = _Loss.apply(  # type: ignore[no-untyped-call]
            hidden.flatten(0, -2), self._head.weight, self._head.bias, self.question, self._most_bytes, torch.is_grad_enabled()
        )
        return loss


class _Loss(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        question: Question,
        most_bytes: int,
        learns: bool,
    ) -> torch.Tensor:
        # Autograd is off inside forward(), and needs_input_grad ignores torch.no_grad(); so `learns` is passed explicitly.
        needed = ctx.needs_input_grad[:3] if question.losses and learns else (False, False, False)
        most_rows = max(1, most_bytes // (4 * weight.shape[0]))
        gradients, projection = _Gradients(needed, hidden, weight, bias), _Projection(hidden, weight, bias)
        sums, losses = [], []
        # _Projection casts to 16 bit where that is wanted; autocast would also round sums over the vocabulary.
        with torch.autocast(hidden.device.type, enabled=False):
            for pairs in _groups(question.counts, most_rows):
                summed, of_pairs = _group(question, pairs, most_rows, projection, gradients)
                sums.append(summed)
                losses.append(of_pairs)
        table, ctx.gradients = torch.cat(sums), gradients.made
        counts = torch.tensor(question.counts, device=hidden.device)
        question.answers = AnswerSums(table[:, :, 0], table[:, :, 1:], counts)
        return torch.cat(losses).mean().to(torch.promote_types(hidden.dtype, torch.float32))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        (gradient,) = gradients
        # Scaled in place, which is safe because backward() runs once.
        gradients, ctx.gradients = ctx.gradients, None
        return *(made if made is None else _weighed(made, gradient).to(number) for made, number in gradients), None, None, None


def _weighed(made: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    # In 32 bit: a weight rounded to 16 bit would favour some pairs.
    return made.to(torch.promote_types(made.dtype, torch.float32)).mul_(weight)


class _Projection:
    """Hidden states and the head in the dtype of the matrix product."""

    def __init__(self, hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        device = hidden.device.type
        number = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
        self.hidden, self.weight = hidden.to(number), weight.to(number)
        self.bias = None if bias is None else bias.to(number)

    def of_targets(self, rows: slice, targets: torch.Tensor) -> torch.Tensor:
        """Return each target's log-probability alone."""
        logits = self._logits(rows)
        chosen: torch.Tensor = logits.gather(1, targets[rows].unsqueeze(1)) - logits.logsumexp(dim=-1, keepdim=True)
        return chosen

    def probabilities(self, rows: slice, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the probabilities of all tokens, and each target's log-probability with its other measurements."""
        logits = self._logits(rows)
        wanted = targets[rows].unsqueeze(1)
        logs = torch.log_softmax(logits, dim=-1)
        mean_logits = logits.mean(dim=-1, keepdim=True)
        del logits
        found = logs.exp()
        # A matrix product sums without storing the terms.
        entropy = -torch.bmm(found.unsqueeze(1), logs.unsqueeze(2)).squeeze(1)
        is_likeliest = logs.argmax(dim=-1, keepdim=True) == wanted
        return found, torch.cat([logs.gather(1, wanted), entropy, mean_logits, is_likeliest], dim=1)

    def _logits(self, rows: slice) -> torch.Tensor:
        logits = linear(self.hidden[rows], self.weight, self.bias)
        return logits.to(torch.promote_types(logits.dtype, torch.float32))


class _Gradients:
    """The gradients of hidden states and head, accumulated where they are needed; sums of 16-bit numbers are held in 32 bit."""

    def __init__(self, needed: Sequence[bool], hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        self._of_hidden, self._of_weight = hidden.dtype, weight.dtype
        sums = torch.promote_types(weight.dtype, torch.float32)
        self._hidden = torch.zeros_like(hidden) if needed[0] else None
        self._weight = torch.zeros_like(weight, dtype=sums) if needed[1] else None
        self._bias = torch.zeros_like(bias, dtype=sums) if bias is not None and needed[2] else None

    @property
    def made(self) -> list[tuple[torch.Tensor | None, torch.dtype]]:
        """Return each gradient with the dtype in which it is wanted."""
        return [(self._hidden, self._of_hidden), (self._weight, self._of_weight), (self._bias, self._of_weight)]

    @property
    def are_needed(self) -> bool:
        return any(made is not None for made in (self._hidden, self._weight, self._bias))

    def add(self, rows: slice, of_logits: torch.Tensor, projection: _Projection) -> None:
        if self._bias is not None:
            self._bias += of_logits.sum(dim=0)
        of_logits = of_logits.to(projection.weight.dtype)
        if self._hidden is not None:
            self._hidden[rows] = (of_logits @ projection.weight).to(self._hidden.dtype)
        if self._weight is None:
            return
        if self._weight.dtype == of_logits.dtype:
            self._weight.addmm_(of_logits.T, projection.hidden[rows])
        else:
            self._weight += of_logits.T @ projection.hidden[rows]


def _group(
    question: Question, pairs: range, most_rows: int, projection: _Projection, gradients: _Gradients
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sums over the answers of some pairs and the losses of these pairs, and accumulate the gradients."""
    counts = [count for pair in pairs for count in question.counts[pair]]
    first = sum(sum(question.counts[pair]) for pair in range(pairs.start))
    last = first + sum(counts)
    # Where nothing is predicted, as for an answer of one token without a prompt, there is one tile without rows.
    tiles = [slice(start, min(start + most_rows, last)) for start in range(first, max(last, first + 1), most_rows)]
    if question.losses is None:
        summed = _sums(torch.cat([projection.of_targets(tile, question.targets) for tile in tiles]), counts)
        return summed, summed.new_zeros(len(pairs))
    measured, found = [], None
    for tile in tiles:
        found, of_targets = projection.probabilities(tile, question.targets)
        measured.append(of_targets)
    summed = _sums(torch.cat(measured), counts)
    losses, scales = _scales(question.losses, summed[:, :, 0], pairs, len(question.counts))
    if gradients.are_needed:
        of_rows = scales.flatten().repeat_interleave(torch.tensor(counts, device=scales.device))
        for tile in tiles:
            if len(tiles) > 1 or found is None:
                found, _ = projection.probabilities(tile, question.targets)
            of_tile = of_rows[tile.start - first : tile.stop - first].to(found.dtype)
            gradients.add(tile, _of_logits(found, question.targets[tile], of_tile), projection)
    return summed, losses


def _scales(losses: Losses, log_probabilities: torch.Tensor, pairs: range, of_pairs: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the losses of some pairs, and the derivative of the mean loss by each answer's log-probability."""
    with torch.enable_grad():
        summed = log_probabilities.detach().requires_grad_()
        made = losses(summed, pairs)
        (scales,) = torch.autograd.grad(made.sum() / of_pairs, summed)
    return made.detach(), scales


def _of_logits(found: torch.Tensor, targets: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """Turn probabilities into the gradient of their logits, in place."""
    gradient = found.mul_(-scales.unsqueeze(1))
    return gradient.scatter_add_(1, targets.unsqueeze(1), scales.unsqueeze(1))


def _groups(counts: Sequence[tuple[int, int]], most_rows: int) -> Iterator[range]:
    """Group pairs so that the logits of a group fit into the limit."""
    first, rows = 0, 0
    for pair, count in enumerate(counts):
        if pair > first and rows + sum(count) > most_rows:
            yield range(first, pair)
            first, rows = pair, 0
        rows += sum(count)
    yield range(first, len(counts))


def _sums(tokens: torch.Tensor, counts: Sequence[int]) -> torch.Tensor:
    """Sum over each answer, in 64 bit: log-probabilities of some thousands are too coarse in 32 bit for small differences."""
    parts = torch.stack([part.double().sum(dim=0) for part in torch.split(tokens, list(counts))])
    return parts.view(-1, 2, tokens.shape[1])
