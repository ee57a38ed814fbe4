"""The first call to a server, of one token, and what its failure means for the stage; pure."""

from alignment_trainer.endpoints.question import Question, SamplingSettings, Server, Unanswered
from alignment_trainer.failures import BadConfiguration, StageFailure, Unreachable

# Models that reason take no other temperature than 1.
PROBE = Question(({"role": "user", "content": "Say yes."},), SamplingSettings(temperature=1, top_p=1, maximum_tokens=1), seed=0)
_PROBE_OF = "probe of "
_ANSWERED = ("CutAnswer", "EmptyAnswer", "FilteredAnswer")
"""One token may be too few for an answer; but server, model and key are right."""


def probe_key(server: Server) -> str:
    """Return the key of a probe in the ledger."""
    return f"{_PROBE_OF}{server.field}"


def is_probe(key: str) -> bool:
    """Return whether a key of the ledger is that of a probe, whose answer is none that a stage wants."""
    return key.startswith(_PROBE_OF)


def failure_of(server: Server, answer: Unanswered) -> StageFailure | None:
    """Return why a server cannot be asked; None if it can."""
    if answer.reason in _ANSWERED:
        return None
    if answer.reason in ("Status400", "Status422"):
        return BadConfiguration(
            f"{server.field}: {answer.detail} to a question of one token with temperature, top_p and n; "
            f"choose a model and a server that take these, or correct the model's name"
        )
    if answer.reason.startswith("Status4") and answer.reason != "Status429":
        return BadConfiguration(
            f"{server.field}.model: {answer.detail} to a question of one token; "
            f"correct the model's name, or baseUrl, which for most servers ends in /v1"
        )
    return Unreachable(
        f"{server.field}.baseUrl: {answer.detail} to a question of one token; check that it is the address of an "
        f"OpenAI-compatible server; the stage tries again later"
    )
