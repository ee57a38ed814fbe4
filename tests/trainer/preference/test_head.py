"""The head's single pass: loss, gradients and measurements equal those of autograd through plain log-probabilities."""

import pytest
import torch
from alignment_trainer.preference.head import AnswerHead, Question
from alignment_trainer.preference.losses import Moves, pair_losses
from torch.nn.functional import linear
from torch.utils.flop_counter import FlopCounterMode

HIDDEN, VOCABULARY = 12, 40
LOSSES = {"Sigmoid": 0.0, "Hinge": 0.0, "Robust": 0.2, "IPO": 0.0, "APOZero": 0.0, "APODown": 0.0}
COUNTS = [(5, 3), (1, 7), (2, 2), (0, 4), (0, 0), (9, 1)]
ROW_BYTES = 4 * VOCABULARY
# Of all logits, of some pairs', of less than a pair's, of one row, of less than that.
MOST_BYTES = [10**6, 12 * ROW_BYTES, 4 * ROW_BYTES, ROW_BYTES, 1]


class Case:
    """Random hidden states, a head, and the reference's values of each pair."""

    def __init__(self, counts=COUNTS, dtype=torch.float64, bias=True, seed=0):
        torch.manual_seed(seed)
        rows = sum(map(sum, counts))
        self.counts = counts
        self.hidden = torch.randn(1, rows, HIDDEN, dtype=dtype, requires_grad=True)
        self.head = torch.nn.Linear(HIDDEN, VOCABULARY, bias=bias, dtype=dtype)
        self.targets = torch.randint(VOCABULARY, (rows,))
        self.moves = 6 * torch.randn(len(counts), 2, dtype=torch.float64)

    @property
    def learned(self):
        return [each for each in (self.hidden, self.head.weight, self.head.bias) if each is not None and each.requires_grad]

    def losses(self, loss):
        """Return losses about as far from their initial value as real ones, for any model."""
        before = self.sums(self.hidden.double(), self.head.weight.double(), self._bias()).detach() - self.moves
        lengths = torch.tensor(self.counts)

        def losses(found, pairs):
            chosen = slice(pairs.start, pairs.stop)
            return pair_losses(Moves(found - before[chosen], lengths[chosen]), loss, 0.3, LOSSES[loss])

        return losses

    def _bias(self):
        return None if self.head.bias is None else self.head.bias.double()

    def tokens(self, hidden, weight, bias):
        return linear(hidden[0], weight, bias).log_softmax(dim=-1)

    def sums(self, hidden, weight, bias):
        of_targets = self.tokens(hidden, weight, bias).gather(1, self.targets[:, None])[:, 0]
        answers = of_targets.split([count for pair in self.counts for count in pair])
        return torch.stack([answer.sum() for answer in answers]).view(-1, 2)

    def expected(self, loss):
        """Compute with autograd."""
        made = self.losses(loss)(self.sums(self.hidden, self.head.weight, self.head.bias), range(len(self.counts))).mean()
        return [made, *torch.autograd.grad(made, self.learned)]

    def ask(self, losses, most_bytes=10**6):
        """Compute with the head under test."""
        head = AnswerHead(self.head, most_bytes)
        head.question = question = Question(self.targets, self.counts, losses)
        return self.head(self.hidden), question.answers

    def found(self, loss, most_bytes=10**6):
        made, _ = self.ask(self.losses(loss), most_bytes)
        return [made, *torch.autograd.grad(made, self.learned)]


@pytest.mark.parametrize("most_bytes", MOST_BYTES)
@pytest.mark.parametrize("loss", LOSSES)
def test_loss_and_gradients_equal_autograds(loss, most_bytes):
    case = Case()
    torch.testing.assert_close(case.found(loss, most_bytes), case.expected(loss), rtol=1e-10, atol=1e-12)


FROZEN = {
    "no bias": (False, []),
    "head frozen": (True, ["weight", "bias"]),
    "weight frozen": (True, ["weight"]),
    "bias frozen": (True, ["bias"]),
    "hidden states frozen": (True, ["hidden"]),
}


@pytest.mark.parametrize("situation", FROZEN)
def test_only_trained_weights_have_gradients(situation):
    bias, frozen = FROZEN[situation]
    case = Case(bias=bias)
    for name in frozen:
        (case.hidden if name == "hidden" else getattr(case.head, name)).requires_grad_(False)
    torch.testing.assert_close(case.found("Sigmoid", 4 * ROW_BYTES), case.expected("Sigmoid"), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("most_bytes", MOST_BYTES)
@pytest.mark.parametrize("learns", [True, False])
def test_measurements(most_bytes, learns):
    case = Case()
    _, answers = case.ask(case.losses("Sigmoid") if learns else None, most_bytes)
    with torch.no_grad():
        logits = linear(case.hidden[0], case.head.weight, case.head.bias)
        logs = logits.log_softmax(dim=-1)
        entropy = torch.distributions.Categorical(logits=logits).entropy()
        tokens = torch.stack([entropy, logits.mean(dim=-1), (logits.argmax(dim=-1) == case.targets).double()], dim=1)
        sizes = [count for pair in COUNTS for count in pair]
        expected = torch.stack([part.sum(dim=0) for part in tokens.split(sizes)]).view(-1, 2, 3)
        sums = torch.stack([part.sum() for part in logs.gather(1, case.targets[:, None])[:, 0].split(sizes)]).view(-1, 2)
    # Without losses, only log-probabilities are computed.
    torch.testing.assert_close(answers.statistics, expected if learns else expected[:, :, :0])
    torch.testing.assert_close(answers.log_probabilities, sums, rtol=1e-12, atol=1e-12)
    assert answers.counts.tolist() == [list(count) for count in COUNTS]


def test_sums_over_long_answers_keep_their_precision():
    case = Case(counts=[(4000, 4000)], dtype=torch.float32)
    _, answers = case.ask(None)
    exact = case.sums(case.hidden.double(), case.head.weight.double(), case._bias())
    assert answers.log_probabilities.dtype == torch.float64
    # 32 bit would leave these sums of about -16000 a rounding of 1e-3.
    torch.testing.assert_close(answers.log_probabilities, exact, rtol=0, atol=1e-4)


def test_autocast_rounds_only_the_products_with_the_head():
    case = Case(counts=[(300, 300)], dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        _, answers = case.ask(case.losses("Sigmoid"))
        logits = linear(case.hidden[0], case.head.weight, case.head.bias).double()
    entropy = torch.distributions.Categorical(logits=logits).entropy().sum()
    torch.testing.assert_close(answers.statistics[:, :, 0].sum(), entropy, rtol=1e-6, atol=0)


@pytest.mark.parametrize("most_bytes", [10**6, 4 * ROW_BYTES])
def test_autocast_in_16_bit_is_close(most_bytes):
    case = Case(dtype=torch.float32)
    exact = [each.double() for each in case.expected("Sigmoid")]
    with torch.autocast("cpu", torch.bfloat16):
        made, _ = case.ask(case.losses("Sigmoid"), most_bytes)
    found = [made, *torch.autograd.grad(made, case.learned)]
    assert [each.dtype for each in found] == [torch.float32] * 4
    for one, other in zip(found, exact, strict=True):
        assert (one - other).norm() < 1e-2 * other.norm()


def test_gradients_of_16_bit_weights_are_summed_in_32_bit():
    case = Case(counts=[(3, 2)] * 40, dtype=torch.bfloat16)
    exact = Case(counts=[(3, 2)] * 40, dtype=torch.bfloat16)
    exact.hidden = case.hidden.detach().double().requires_grad_()
    exact.head = torch.nn.Linear(HIDDEN, VOCABULARY).double()
    exact.head.load_state_dict(case.head.state_dict())
    exact.targets, exact.moves = case.targets, case.moves
    found, expected = case.found("Sigmoid", ROW_BYTES), exact.expected("Sigmoid")
    assert [each.dtype for each in found] == [torch.float32] + [torch.bfloat16] * 3
    for one, other in zip(found, expected, strict=True):
        assert (one - other).norm() < 1e-2 * other.norm()


def test_a_weighted_loss_weights_its_gradients():
    case = Case()
    made, _ = case.ask(case.losses("IPO"))
    weighed = torch.autograd.grad(3.5 * made, case.learned)
    torch.testing.assert_close(weighed, tuple(3.5 * each for each in case.expected("IPO")[1:]))


def test_a_weight_is_not_rounded_to_16_bits():
    weight, case = 11 / 48, Case(dtype=torch.bfloat16)
    whole = torch.autograd.grad(case.ask(case.losses("Sigmoid"))[0], case.learned)
    weighed = torch.autograd.grad(weight * case.ask(case.losses("Sigmoid"))[0], case.learned)
    for one, other in zip(weighed, whole, strict=True):
        # Rounding numbers one by one favours none; a rounded weight would be 0.14 % off in all of them.
        torch.testing.assert_close(one.double().norm() / other.double().norm(), torch.tensor(weight).double(), rtol=5e-4, atol=0)


@pytest.mark.parametrize(("gradients", "products"), [(True, 3), (False, 1)])
def test_under_no_grad_no_gradients_are_computed(gradients, products):
    # In 16 bit, since the counter does not know products that are added in place.
    case = Case(dtype=torch.bfloat16)
    losses = case.losses("Sigmoid")
    with torch.set_grad_enabled(gradients), FlopCounterMode(display=False) as counted:
        made, _ = case.ask(losses)
    assert made.requires_grad == gradients
    entropy = 2 * len(case.targets) * VOCABULARY
    assert counted.get_total_flops() == products * 2 * len(case.targets) * HIDDEN * VOCABULARY + entropy


def test_without_a_question_the_head_returns_logits():
    case = Case()
    expected = linear(case.hidden, case.head.weight, case.head.bias)
    AnswerHead(case.head)
    torch.testing.assert_close(case.head(case.hidden), expected)
