"""What a stage has asked, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Counts:
    """Numbers of all attempts of a stage, except where one says otherwise."""

    requests: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    cost: float = 0.0
    answers: int = 0
    """Answers that these requests have brought."""
    kept_answers: int = 0
    """Answers that earlier requests of this stage or of other jobs had paid for."""
    possibly_paid: int = 0
    """Requests that were in flight when an earlier attempt was killed; all numbers include the most that they may cost."""
    estimated: int = 0
    """Requests of which the server does not say what they cost; they count with the most that they may cost."""
    unanswered: Mapping[str, int] = field(default_factory=dict)
    """Questions of this attempt that got no usable answer, by reason."""
    faults: Mapping[str, int] = field(default_factory=dict)
    """Requests of this attempt without a usable answer, by reason, also where a later one brought the answer."""
