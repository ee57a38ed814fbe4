"""The settings of stages that measure models."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from alignment_api.schema import Rule, Schema, count_set, exactly_one
from alignment_api.spec.data import Dataset
from alignment_api.spec.endpoints import Budget, Endpoint, Sampling
from alignment_api.spec.settings.synthesis import MaximumFailedShare, Seed
from alignment_api.spec.stage_model import StageModel

Measure = Literal["MultipleChoice", "References", "Preferences", "Perplexity", "MTBench", "AlpacaEval", "Refusals", "HumanEval"]
JUDGED: tuple[Measure, ...] = ("MTBench", "AlpacaEval")
"""Measures in which judges grade or compare the answers."""
USUAL_WINDOW = 2048
"""Tokens in papers on quantization; a window as long as the context of a new model may need more memory than its weights."""


class Opponent(Schema):
    """Whose answers the models' answers are compared with."""

    rules: ClassVar = (
        Rule(
            f"{count_set('model', 'outputs')} == 1",
            exactly_one("model", "outputs"),
            "set exactly one of model and outputs",
            is_relied_on=True,
        ),
    )

    model: Annotated[StageModel | None, Field(description="A model of this job, which answers the same questions.")] = None
    outputs: Annotated[
        Dataset | None,
        Field(description="Rows with instruction and output, such as AlpacaEval's model_outputs.json; they join by instruction."),
    ] = None


class Task(Schema):
    """One measurement of all models of the stage."""

    rules: ClassVar = (
        Rule(
            f"{count_set('benchmark', 'measure')} == 1",
            exactly_one("benchmark", "measure"),
            "set exactly one of benchmark (a task of lm-eval) and measure",
            is_relied_on=True,
        ),
        Rule(
            "!has(self.measure) || has(self.dataset)",
            lambda task: task.measure is None or task.dataset is not None,
            "measure needs dataset, the rows that are measured",
            is_relied_on=True,
        ),
        Rule(
            "has(self.against) == (has(self.measure) && self.measure == 'AlpacaEval')",
            lambda task: (task.against is not None) == (task.measure == "AlpacaEval"),
            "AlpacaEval needs against, whose answers the models' are compared with; no other task has it",
            is_relied_on=True,
        ),
        Rule(
            "(has(self.runUntrustedCode) && self.runUntrustedCode) == (has(self.measure) && self.measure == 'HumanEval')",
            lambda task: bool(task.run_untrusted_code) == (task.measure == "HumanEval"),
            "HumanEval runs programs that a model wrote: it needs runUntrustedCode: true, and no other task has it",
        ),
        Rule(
            "!has(self.references) || (has(self.measure) && self.measure == 'MTBench')",
            lambda task: task.references is None or task.measure == "MTBench",
            "only MTBench has references; the rows of other tasks hold their own",
        ),
        Rule(
            "!has(self.fewShot) || has(self.benchmark)",
            lambda task: task.few_shot is None or task.benchmark is not None,
            "only a benchmark has fewShot",
        ),
        Rule(
            "!(has(self.stride) || has(self.window)) || (has(self.measure) && self.measure == 'Perplexity')",
            lambda task: (task.stride is None and task.window is None) or task.measure == "Perplexity",
            "only Perplexity has window and stride",
        ),
        Rule(
            f"!has(self.stride) || self.stride <= (has(self.window) ? self.window : {USUAL_WINDOW})",
            lambda task: task.stride is None or task.stride <= (task.window or USUAL_WINDOW),
            f"stride must not exceed window, which is at most {USUAL_WINDOW} if unset, "
            "or the text between two windows would not be measured",
        ),
    )

    name: Annotated[
        str,
        Field(
            max_length=32,
            pattern=r"^[a-z0-9][a-z0-9_.-]*$",
            description="How tables call it, such as arc or pairs; unique within the stage.",
        ),
    ]
    benchmark: Annotated[
        str | None,
        Field(
            max_length=128,
            pattern=r"^[A-Za-z0-9._-]+$",
            description="A task or group of lm-eval, such as arc_challenge, wikitext or openllm, the Open LLM Leaderboard.",
        ),
    ] = None
    measure: Annotated[
        Measure | None,
        Field(
            description="MultipleChoice: which choice the model finds likeliest. References: BLEU and ROUGE of its answers. "
            "Preferences: reward accuracy and margin of pairs against what a training started from. Perplexity: of a text. "
            "MTBench: judges grade two turns. AlpacaEval: judges compare its answers with others. "
            "Refusals: how often it refuses. HumanEval: whether the programs that it writes pass their tests."
        ),
    ] = None
    dataset: Annotated[
        Dataset | None,
        Field(description="Rows to measure on; of a benchmark, a folder with a file for each split, in place of the Hub's rows."),
    ] = None
    references: Annotated[Dataset | None, Field(description="MT-Bench's reference answers, which its judges see.")] = None
    against: Annotated[Opponent | None, Field(description="Whose answers AlpacaEval compares with.")] = None
    few_shot: Annotated[
        int | None, Field(ge=0, le=64, description="Worked examples before each question; if unset, as the benchmark has it.")
    ] = None
    window: Annotated[
        int | None,
        Field(
            ge=2,
            le=1_048_576,
            description="Tokens in which perplexity is computed at once; if unset, as many as the model reads, "
            f"at most {USUAL_WINDOW}.",
        ),
    ] = None
    stride: Annotated[
        int | None,
        Field(
            ge=1,
            le=1_048_576,
            description="Tokens between the beginnings of two windows of perplexity; if unset, windows do not overlap.",
        ),
    ] = None
    limit: Annotated[
        int | None,
        Field(ge=1, le=10_000_000, description="At most so many rows, drawn with the seed; of a benchmark, the first."),
    ] = None
    run_untrusted_code: Annotated[
        bool | None,
        Field(description="Your consent to run programs that a model wrote, in processes with limits; needed for HumanEval."),
    ] = None


class Evaluate(Schema):
    """Measure models of the job: benchmarks, references, preferences, judges."""

    rules: ClassVar = (
        Rule(
            "!has(self.tasks) || self.tasks.all(task, self.tasks.exists_one(other, other.name == task.name))",
            lambda evaluate: _names_are_unique(evaluate),
            "the names of tasks must be unique within the stage",
            is_relied_on=True,
        ),
        Rule(
            "!has(self.models) || self.models.all(model, self.models.exists_one(other, "
            "has(model.stage) ? has(other.stage) && other.stage == model.stage : !has(other.stage)))",
            lambda evaluate: len({model.stage for model in evaluate.models or []}) == len(evaluate.models or []),
            "each of models can be named once",
            lambda evaluate: _repeated_model(evaluate),
        ),
    )

    models: Annotated[
        list[StageModel] | None,
        Field(
            min_length=1,
            max_length=12,
            description="What is measured, in one table; if unset, the model of the latest training stage before, or the job's.",
        ),
    ] = None
    tasks: Annotated[list[Task] | None, Field(min_length=1, max_length=32, description="The measurements.")] = None
    judges: Annotated[
        list[Endpoint] | None,
        Field(min_length=1, max_length=4, description="Models that grade and compare answers, in MTBench and AlpacaEval."),
    ] = None
    sampling: Annotated[
        Sampling | None,
        Field(description="How the models answer; MTBench has its own temperature for each category."),
    ] = None
    judge_sampling: Annotated[Sampling | None, Field(description="How the judges answer.")] = None
    exact: Annotated[
        bool | None,
        Field(description="Compute in 32 bit, one row at a time, so that no score depends on batches or processes; slower."),
    ] = None
    maximum_failed_share: MaximumFailedShare = None
    budget: Annotated[Budget | None, Field(description="Limits on what the judges are asked.")] = None
    seed: Seed = None


def _names_are_unique(evaluate: Any) -> bool:
    names = [task.name for task in evaluate.tasks or []]
    return len(set(names)) == len(names)


def _repeated_model(evaluate: Any) -> tuple[str, str]:
    named = [model.stage for model in evaluate.models]
    index = next(index for index, stage in enumerate(named) if stage in named[:index])
    name = "base: true" if named[index] is None else f"stage {named[index]!r}"
    return f"models[{index}]", f"{name} is in the list already; remove it"
