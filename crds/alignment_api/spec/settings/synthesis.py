"""The settings of stages whose rows are written by models."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from alignment_api.schema import Rule, Schema, count_set, exactly_one
from alignment_api.spec.data import Datasets
from alignment_api.spec.endpoints import Budget, Endpoint, Sampling
from alignment_api.spec.stage_model import StageModel
from alignment_api.spec.values import Fraction

CutAnswers = Annotated[
    Literal["Drop", "Keep"] | None,
    Field(description="What becomes of an answer that reached maximumTokens before its end; both are counted."),
]
MaximumFailedShare = Annotated[
    float | None, Field(ge=0, le=1, description="The stage fails if a larger share of its rows has no usable answer.")
]
Seed = Annotated[int | None, Field(ge=0, le=2**31 - 1, description="Seed of all draws.")]
Aspect = Literal["InstructionFollowing", "Truthfulness", "Honesty", "Helpfulness"]
Share = Annotated[float | None, Field(ge=0, le=1)]


class Distill(Schema):
    """Teachers write the training dialogues."""

    rules: ClassVar = (
        Rule(
            "!has(self.method) || (self.method == 'SelfInstruct') == has(self.instructions)",
            lambda distill: distill.method is None or (distill.method == "SelfInstruct") == (distill.instructions is not None),
            "method SelfInstruct needs instructions, the number of new ones; no other method has it",
        ),
        Rule(
            "!has(self.method) || self.method == 'Dialogues' || (!has(self.user) && (!has(self.turns) || self.turns == 1) && "
            "(!has(self.promptsAre) || self.promptsAre == 'Questions'))",
            lambda distill: distill.method in (None, "Dialogues") or not _has_a_user(distill),
            "turns above 1, user and promptsAre: Topics need method: Dialogues, in which a simulated user asks",
        ),
    )

    teachers: Annotated[
        list[Endpoint] | None, Field(min_length=1, max_length=16, description="Models that answer; they share the rows evenly.")
    ] = None
    method: Annotated[
        Literal["Answers", "Dialogues", "SelfInstruct"] | None,
        Field(
            description="Answers: the teacher answers each prompt. Dialogues: a simulated user asks on, as in UltraChat. "
            "SelfInstruct: the prompts are seed tasks, from which new instructions are written and answered."
        ),
    ] = None
    prompts: Annotated[Datasets | None, Field(description="Opening questions, topics or seed tasks.")] = None
    prompts_are: Annotated[
        Literal["Questions", "Topics"] | None,
        Field(description="Whether a dialogue opens with the prompt itself, or with a question that is written about it."),
    ] = None
    turns: Annotated[int | None, Field(ge=1, le=32, description="Questions and answers in each dialogue.")] = None
    user: Annotated[
        Endpoint | None, Field(description="Model that asks in the user's place; if unset, the teacher of the row.")
    ] = None
    instructions: Annotated[int | None, Field(ge=1, le=10_000_000, description="New instructions in all, for SelfInstruct.")] = (
        None
    )
    maximum_similarity: Annotated[
        Fraction | None,
        Field(description="A new instruction is dropped if its ROUGE-L with an earlier one is at least this, for SelfInstruct."),
    ] = None
    system_prompt: Annotated[str | None, Field(max_length=8192, description="System message for the teachers.")] = None
    sampling: Annotated[Sampling | None, Field(description="How teachers answer.")] = None
    cut_answers: CutAnswers = None
    maximum_failed_share: MaximumFailedShare = None
    budget: Annotated[Budget | None, Field(description="Limits on what the teachers are asked.")] = None
    seed: Seed = None


def _has_a_user(distill: Any) -> bool:
    return distill.user is not None or (distill.turns or 1) > 1 or distill.prompts_are == "Topics"


class Responder(Schema):
    """A model that answers prompts: a server, or one of the job's own models."""

    rules: ClassVar = (
        Rule(
            f"{count_set('endpoint', 'model')} == 1",
            exactly_one("endpoint", "model"),
            "set exactly one of endpoint and model",
            is_relied_on=True,
        ),
    )

    endpoint: Annotated[Endpoint | None, Field(description="Its server.")] = None
    model: Annotated[StageModel | None, Field(description="A model of this job, which answers on the stage's own processes.")] = (
        None
    )


class Principles(Schema):
    """Share of the answers that are given under a principle, in the system message; the rest is given without one."""

    rules: ClassVar = (
        Rule(
            "[has(self.helpfulness) ? self.helpfulness : 0.0, has(self.truthfulness) ? self.truthfulness : 0.0, "
            "has(self.honesty) ? self.honesty : 0.0, has(self.calibration) ? self.calibration : 0.0].sum() <= 1.0001",
            lambda principles: sum(share or 0 for _, share in principles) <= 1.0001,
            "the shares of all principles must not exceed 1 together",
        ),
    )

    helpfulness: Annotated[Share, Field(description="Be helpful.")] = None
    truthfulness: Annotated[Share, Field(description="Be truthful.")] = None
    honesty: Annotated[Share, Field(description="Say what is not certain.")] = None
    calibration: Annotated[Share, Field(description="Say how certain each statement is.")] = None


class Feedback(Schema):
    """An ensemble answers, a judge scores the answers, and preference pairs are made of them."""

    rules: ClassVar = (
        Rule(
            "!has(self.judged) || (!has(self.prompts) && !has(self.responders) && !has(self.judge))",
            lambda feedback: not feedback.judged or not (feedback.prompts or feedback.responders or feedback.judge),
            "judged rows are paired without asking anyone: set either judged, or prompts, responders and judge",
        ),
    )

    responders: Annotated[list[Responder] | None, Field(min_length=1, max_length=32, description="Models that answer.")] = None
    judge: Annotated[Endpoint | None, Field(description="Model that scores the answers.")] = None
    prompts: Annotated[Datasets | None, Field(description="Questions to answer.")] = None
    judged: Annotated[
        Datasets | None,
        Field(description="Rows in the form of UltraFeedback, with scores of their answers; no server is asked."),
    ] = None
    answers_per_prompt: Annotated[int | None, Field(ge=2, le=32, description="Answers drawn for each prompt.")] = None
    principles: Annotated[Principles | None, Field(description="Principles under which answers are given.")] = None
    aspects: Annotated[
        list[Aspect] | None, Field(min_length=1, max_length=4, description="What the judge scores from 1 to 5.")
    ] = None
    score: Annotated[
        Literal["MeanOfAspects", "Overall"] | None,
        Field(description="What orders the answers: the mean of their aspects, or a judge's single score from 1 to 10."),
    ] = None
    rejected: Annotated[
        Literal["Random", "Worst", "Second"] | None, Field(description="Which of the other answers becomes the rejected one.")
    ] = None
    minimum_margin: Annotated[float | None, Field(ge=0, le=10, description="Pairs whose scores differ by less are dropped.")] = (
        None
    )
    ties: Annotated[
        Literal["Drop", "Keep"] | None,
        Field(description="What becomes of a pair whose scores are equal; Keep draws the chosen one with the seed."),
    ] = None
    missing_aspects: Annotated[
        Literal["DropAnswer", "MeanOfRest"] | None,
        Field(description="What becomes of an answer for which the judge has not scored all aspects."),
    ] = None
    sampling: Annotated[Sampling | None, Field(description="How the ensemble answers.")] = None
    judge_sampling: Annotated[Sampling | None, Field(description="How the judge answers.")] = None
    cut_answers: CutAnswers = None
    maximum_failed_share: MaximumFailedShare = None
    budget: Annotated[Budget | None, Field(description="Limits on what the endpoints are asked, the judge included.")] = None
    seed: Seed = None


class RoundJudge(Schema):
    """Compares two answers to each of a fixed set of questions, in both orders."""

    endpoint: Annotated[Endpoint, Field(description="Model that judges.")]
    questions: Annotated[Datasets, Field(description="Questions that are not among the prompts.")]
    maximum_questions: Annotated[
        int | None, Field(ge=2, le=100_000, description="At most so many of them, drawn with the stage's seed.")
    ] = None
    sampling: Annotated[Sampling | None, Field(description="How the judge answers.")] = None
