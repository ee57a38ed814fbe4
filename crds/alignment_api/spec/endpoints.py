"""Servers to which a stage sends requests, how models sample answers, and limits on requests, tokens and cost."""

from typing import Annotated

from pydantic import Field

from alignment_api.schema import Schema, form
from alignment_api.spec.values import Fraction, Name


class SecretKey(Schema):
    """One key of a Secret in the job's own namespace; it reaches the pod as a mounted file, never as a variable."""

    name: Annotated[Name, Field(description="Name of the Secret.")]
    key: Annotated[str, Field(max_length=253, pattern=r"^[-._a-zA-Z0-9]+$", description="Key within the Secret.")]


class Price(Schema):
    """What a server charges, in the currency of your budget."""

    prompt_per_million_tokens: Annotated[float, Field(ge=0, le=1_000_000, description="Price of a million prompt tokens.")]
    answer_per_million_tokens: Annotated[float, Field(ge=0, le=1_000_000, description="Price of a million answer tokens.")]


class Endpoint(Schema):
    """An OpenAI-compatible server: a teacher or a judge."""

    base_url: Annotated[
        str,
        Field(max_length=512, description="Address, up to and including /v1."),
        form(
            r"^https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9._/-]*)?$",
            "must be an address such as http://teacher.models.svc:8000/v1, with http:// or https:// before it",
        ),
    ]
    model: Annotated[str, Field(min_length=1, max_length=253, description="Model name that the server knows.")]
    api_key_secret: Annotated[
        SecretKey | None,
        Field(
            description="Where the API key is kept. The Secret must allow this address in an entry allowed-endpoints "
            "(docs/endpoints.md); otherwise the stage is refused before any request."
        ),
    ] = None
    concurrency: Annotated[int | None, Field(ge=1, le=1024, description="Most requests at the same time; 64 if unset.")] = None
    requests_per_minute: Annotated[
        int | None, Field(ge=1, le=1_000_000, description="Requests per minute that the server allows.")
    ] = None
    tokens_per_minute: Annotated[
        int | None, Field(ge=1, le=1_000_000_000, description="Tokens per minute that the server allows.")
    ] = None
    timeout_seconds: Annotated[int | None, Field(ge=1, le=86_400, description="Longest wait for one answer; 600 if unset.")] = (
        None
    )
    price: Annotated[Price | None, Field(description="What the server charges; needed only for a budget's cost.")] = None


class Sampling(Schema):
    """How a model samples its answers."""

    temperature: Annotated[float | None, Field(ge=0, le=10, description="0 always takes the most likely token.")] = None
    top_p: Annotated[
        Fraction | None, Field(description="Nucleus sampling: share of the probability from which tokens are sampled.")
    ] = None
    maximum_tokens: Annotated[int | None, Field(ge=1, le=1_000_000, description="Longest answer, in tokens.")] = None


class Budget(Schema):
    """Limits for teachers and judges; a stage that reaches one stops and keeps its answers, and continues with a higher one."""

    requests: Annotated[int | None, Field(ge=1, le=1_000_000_000, description="Requests in total.")] = None
    tokens: Annotated[int | None, Field(ge=1, le=1_000_000_000_000, description="Prompt and answer tokens in total.")] = None
    cost: Annotated[float | None, Field(gt=0, le=1_000_000_000, description="Cost in total, by the price of each endpoint.")] = (
        None
    )
