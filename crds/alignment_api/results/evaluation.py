"""The report of an evaluate stage: scores with their errors, paired differences, and what the judges show of themselves."""

from typing import Annotated, Literal

from pydantic import Field

from alignment_api.schema import Schema

Better = Literal["Higher", "Lower", "Neither"]
"""Which value of a metric is better; of a length, neither is."""
Settings = dict[str, str | int | float | bool | None]
Details = dict[str, str | int | float | bool | None]


class Estimate(Schema):
    """A value of rows that were drawn from many, with its uncertainty."""

    value: float | None = Field(default=None, description="None if no row has a value.")
    error: float | None = Field(default=None, description="Its standard error; rows of one prompt count as one.")
    low: float | None = Field(default=None, description="Lower end of the 95 % interval.")
    high: float | None = Field(default=None, description="Upper end of the 95 % interval.")
    count: int = Field(ge=0, description="Prompts with a value.")
    failed: int = Field(default=0, ge=0, description="Prompts without one.")


class MeasuredModel(Schema):
    """One of the models of the stage."""

    name: str = Field(description="base, or the name of the stage that made it.")
    weights: str = Field(description="Hash of its weights.")
    quantization: str | None = Field(default=None, description="Number format of an exported model.")


class MeasuredTask(Schema):
    """One task, and all that its scores depend on beside the model."""

    name: str
    measure: str = Field(description="Benchmark, or the measure.")
    rows: int = Field(ge=0, description="Rows that were measured of each model.")
    settings: Settings = Field(
        description="All that shapes a score: versions, prompt hash, few-shot examples, sampling, judges, signatures. "
        "Scores of unlike settings are never ranked together."
    )


class Score(Schema):
    """One metric of one task for one model."""

    task: str
    metric: str = Field(description="Such as accuracy, bleu, rouge_l, perplexity, win_rate, grade, pass_at_1.")
    model: str
    better: Better
    is_main: bool = Field(default=False, description="Whether a table of few columns shows this metric of the task.")
    against: MeasuredModel | None = Field(
        default=None,
        description="The model that the score is relative to, such as an opponent; scores against unlike weights are never "
        "ranked together.",
    )
    estimate: Estimate


class Difference(Schema):
    """By how much a model's metric exceeds that of one before it in the report, on the rows that both have."""

    task: str
    metric: str
    model: str
    against: str
    estimate: Estimate


class JudgePanel(Schema):
    """What the verdicts of one task show of its judges."""

    task: str
    judges: list[str]
    agreement: float | None = Field(default=None, description="Share of verdicts, of two judges on one row, that are the same.")
    agreement_count: int = 0
    same_in_both_orders: float | None = Field(default=None, description="Share of comparisons with one verdict in both orders.")
    first_position: float | None = Field(default=None, description="What the answer that stands first wins; 0.5 without bias.")
    longer_wins: float | None = Field(default=None, description="Share of decided comparisons that the longer answer wins.")
    grades: Settings | None = Field(default=None, description="Mean grade or win rate by judge and model.")
    failures: dict[str, int] = Field(default_factory=dict, description="Missing verdicts by reason.")


class EvaluationReport(Schema):
    """All that an evaluate stage has measured; rows/TASK/MODEL.jsonl beside it has each row."""

    version: Annotated[Literal["v1alpha1"], Field(description="Of this form.")] = "v1alpha1"
    models: list[MeasuredModel]
    tasks: list[MeasuredTask]
    scores: list[Score]
    differences: list[Difference]
    panels: list[JudgePanel] = []
    notes: list[str] = Field(default_factory=list, description="Sentences about what limits the figures.")


class EvaluatedRow(Schema):
    """One row of a task as one model answered it, a line of rows/TASK/MODEL.jsonl."""

    key: str = Field(description="Hash of the prompt: rows of one prompt share it, and it joins the rows of two models.")
    row: str = Field(description="Which row of the task; unique within the file.")
    prompt: str
    answer: str | None = Field(default=None, description="None where nothing was generated, such as choices by likelihood.")
    reference: str | None = None
    scores: dict[str, float | None] = Field(description="By metric; None where the row failed.")
    reason: str | None = Field(default=None, description="Why a score is missing, or what a judge said.")
    details: Details = Field(default_factory=dict, description="Category, verdicts, lengths.")
