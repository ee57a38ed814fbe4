"""Servers that a stage asks, how answers are drawn, and what may be spent."""

from typing import Annotated

from pydantic import Field

from alignment_api.schema import Schema, form
from alignment_api.spec.values import Fraction, Name


class SecretKey(Schema):
    """One key of a Secret in the job's own namespace; it reaches the pod as a mounted file, never as a variable."""

    name: Annotated[Name, Field(description="Name of the Secret.")]
    key: Annotated[str, Field(max_length=253, pattern=r"^[-._a-zA-Z0-9]+$", description="Key within the Secret.")]


class Endpoint(Schema):
    """An OpenAI-compatible server: a teacher or a judge."""

    base_url: Annotated[
        str,
        Field(max_length=512, description="Address up to /v1."),
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
    concurrency: Annotated[int | None, Field(ge=1, le=1024, description="Requests under way at once.")] = None
    requests_per_minute: Annotated[int | None, Field(ge=1, le=1_000_000, description="Request rate the server allows.")] = None
    tokens_per_minute: Annotated[int | None, Field(ge=1, le=1_000_000_000, description="Token rate the server allows.")] = None


class Sampling(Schema):
    """How answers are drawn from a model."""

    temperature: Annotated[float | None, Field(ge=0, le=10, description="0 takes the likeliest token.")] = None
    top_p: Annotated[Fraction | None, Field(description="Nucleus of the distribution that is sampled.")] = None
    maximum_tokens: Annotated[int | None, Field(ge=1, le=1_000_000, description="Longest answer.")] = None


class Budget(Schema):
    """What may be spent on teachers and judges; the stage stops when one is used up, and keeps what it has."""

    requests: Annotated[int | None, Field(ge=1, le=1_000_000_000, description="Requests in all.")] = None
    tokens: Annotated[int | None, Field(ge=1, le=1_000_000_000_000, description="Prompt and answer tokens in all.")] = None
