"""Which parameters a server does not take, by the words of its refusal."""

import pytest
from alignment_trainer.endpoints.dialect import refused_parameters
from alignment_trainer.endpoints.question import Question, SamplingSettings

EXTRA = "[{'type': 'extra_forbidden', 'loc': ['body', 'seed'], 'msg': 'Extra inputs are not permitted', 'input': 3}]"
UNKNOWN = "{'message': 'Invalid JSON payload received. Unknown name \"seed\": Cannot find field.'}"
ABOUT_SEEDS = "How deep does one sow a seed?"

REFUSALS = {
    "the limit, named": (400, "max_tokens", "{}", "hi", {"max_tokens"}),
    "the limit, in words": (422, None, "use max_completion_tokens instead", "hi", {"max_tokens"}),
    "the seed, named": (400, "seed", "{}", "hi", {"seed"}),
    "the seed, named, and asked about seeds": (400, "seed", "{}", ABOUT_SEEDS, {"seed"}),
    "the seed, as an extra field": (422, None, EXTRA, "hi", {"seed"}),
    "the seed, as an unknown name": (400, None, UNKNOWN, "hi", {"seed"}),
    "both": (400, None, "unknown: seed, max_tokens (use max_completion_tokens)", "hi", {"max_tokens", "seed"}),
    "the seed in a busy answer": (429, "seed", UNKNOWN, "hi", set()),
    "a question that the server repeats": (400, None, f"too long: {ABOUT_SEEDS}", ABOUT_SEEDS, set()),
    "another name that contains it": (400, None, "random_seed_of is unknown to seedlings", "hi", set()),
    "another parameter": (400, "temperature", "temperature is not supported", "hi", set()),
    "nothing": (400, None, "", "hi", set()),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_a_refusal_says(case: str) -> None:
    status, param, body, asked, refused = REFUSALS[case]
    question = Question(({"role": "user", "content": asked},), SamplingSettings(1, 1, 5), seed=3)
    assert refused_parameters(status, param, body, question) == refused
