"""One of the models of a job: its own, or what an earlier stage has trained."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from alignment_api.schema import Rule, Schema, count_set, exactly_one
from alignment_api.spec.values import StageName

BASE = "base"
"""How reports call the job's own model, beside the names of stages."""


class StageModel(Schema):
    """One of the job's models."""

    rules: ClassVar = (
        Rule(
            f"{count_set('stage', 'base')} == 1",
            exactly_one("stage", "base"),
            "set exactly one of stage (an earlier stage's name) and base: true",
        ),
    )

    stage: Annotated[StageName | None, Field(description="An earlier stage that trains; for evaluate also one that exports.")] = (
        None
    )
    base: Annotated[Literal[True] | None, Field(description="The job's own model, before any stage.")] = None
