"""The stages of a job, and the settings of each kind."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from pydantic.alias_generators import to_camel

from alignment_api.schema import Rule, Schema, count_set, exactly_one
from alignment_api.spec.compute import Compute
from alignment_api.spec.data import Datasets, Decontamination, Holdout
from alignment_api.spec.endpoints import Budget, Endpoint, Sampling
from alignment_api.spec.kinds import KINDS
from alignment_api.spec.optimization import Adapter, Checkpoint, Evaluation, Optimization
from alignment_api.spec.settings.evaluation import Evaluate
from alignment_api.spec.settings.export import Export
from alignment_api.spec.settings.synthesis import CutAnswers, Distill, Feedback, MaximumFailedShare, RoundJudge
from alignment_api.spec.stage_model import StageModel
from alignment_api.spec.values import StageName

MaximumLength = Annotated[
    int | None, Field(ge=8, le=1_048_576, description="Longest example in tokens, prompt and answer together.")
]
Precision = Annotated[
    Literal["BFloat16", "Float32"] | None, Field(description="Number format of the forward and backward passes.")
]

MeasuredOn = Annotated[Decontamination | None, Field(description="Drop training rows that contain texts of evaluation datasets.")]


class TrainingSettings(Schema):
    """Settings of every stage that updates weights."""

    optimization: Annotated[Optimization | None, Field(description="How weights are updated.")] = None
    max_length: MaximumLength = None
    adapter: Annotated[Adapter | None, Field(description="Train an adapter instead of all weights.")] = None
    precision: Precision = None
    checkpoint: Annotated[Checkpoint | None, Field(description="How often a checkpoint is saved.")] = None
    evaluation: Annotated[Evaluation | None, Field(description="How often the holdout is evaluated.")] = None
    holdout: Annotated[Holdout | None, Field(description="Rows kept out of training for evaluation.")] = None


class Sft(TrainingSettings):
    """Supervised fine-tuning on dialogues."""

    datasets: Annotated[Datasets | None, Field(description="Dialogues, or prompts with their completions.")] = None
    decontamination: MeasuredOn = None
    packing: Annotated[
        bool | None, Field(description="Fill each row with several examples, which do not attend to each other.")
    ] = None
    assistant_only_loss: Annotated[
        bool | None, Field(description="Compute the loss on the answers only, not on the questions.")
    ] = None


class PreferenceSettings(TrainingSettings):
    """Settings of every stage that learns from pairs."""

    beta: Annotated[
        float | None,
        Field(gt=0, le=100, description="How close the policy stays to the reference model; a larger beta keeps it closer."),
    ] = None
    loss: Annotated[
        Literal["Sigmoid", "IPO", "Hinge", "Robust", "APOZero", "APODown"] | None,
        Field(description="Loss on the reward margin."),
    ] = None
    label_smoothing: Annotated[float | None, Field(ge=0, lt=0.5, description="Probability that a label is wrong.")] = None
    batching: Annotated[
        Literal["Packed", "Padded"] | None,
        Field(description="Packed computes a pair's prompt once and needs no padding; Padded is TRL's way, for any model."),
    ] = None

    @property
    def packs_pairs(self) -> bool:
        """Return whether the stage asks for packed pairs; the trainer pads them for models that cannot take them."""
        return self.batching == "Packed"


class Dpo(PreferenceSettings):
    """Direct preference optimization on pairs of answers."""

    datasets: Annotated[Datasets | None, Field(description="Rows with prompt, chosen and rejected.")] = None
    decontamination: MeasuredOn = None


class DpoDistillation(PreferenceSettings):
    """DPO on the teacher's answers (chosen) against the student's own (rejected)."""

    rules: ClassVar = (
        Rule(
            "!has(self.mode) || self.mode == 'Online' || !has(self.rounds) || self.rounds == 1",
            lambda settings: settings.mode in (None, "Online") or settings.rounds in (None, 1),
            "rounds above 1 need mode: Online, in which the student is sampled again in each round",
        ),
        Rule(
            "!has(self.student) || !has(self.roundJudge)",
            lambda settings: settings.student is None or settings.round_judge is None,
            "student cannot stand beside roundJudge, which also needs answers of the start of the stage: leave one of them out",
        ),
    )

    teacher: Annotated[Endpoint | None, Field(description="Model whose answers are preferred.")] = None
    student: Annotated[
        Endpoint | None,
        Field(description="Server of the student's own weights; if unset, the stage samples its model on its own processes."),
    ] = None
    prompts: Annotated[Datasets | None, Field(description="Questions for both.")] = None
    template: Annotated[
        Literal["CodeSummary", "CodeGeneration"] | None,
        Field(description="What both are asked about each row; if unset, the row's question as it is."),
    ] = None
    mode: Annotated[
        Literal["Offline", "Online"] | None, Field(description="Sample the student once, or again in each round.")
    ] = None
    rounds: Annotated[int | None, Field(ge=1, le=100, description="Rounds of sampling and training, online.")] = None
    reference: Annotated[
        Literal["RoundStart", "StageStart"] | None, Field(description="Which weights are the reference model, online.")
    ] = None
    keep_earlier_pairs: Annotated[
        bool | None, Field(description="Train each round on the pairs of the earlier rounds too, online.")
    ] = None
    round_judge: Annotated[RoundJudge | None, Field(description="Compares the student after each round with its start.")] = None
    stop_without_gain: Annotated[
        bool | None, Field(description="End after a round whose gain, as judged, is within its standard error.")
    ] = None
    teacher_sampling: Annotated[Sampling | None, Field(description="How the teacher answers.")] = None
    student_sampling: Annotated[Sampling | None, Field(description="How the student answers.")] = None
    cut_answers: CutAnswers = None
    maximum_failed_share: MaximumFailedShare = None
    budget: Annotated[Budget | None, Field(description="Limits on what teacher and judge are asked.")] = None


_KINDS = [to_camel(kind) for kind in KINDS]


class Stage(Schema):
    """One step of the job: a name, exactly one kind, and what differs from the job's compute."""

    rules: ClassVar = (
        Rule(
            f"{count_set(*KINDS)} == 1",
            exactly_one(*KINDS),
            f"set exactly one of {', '.join(_KINDS[:-1])} and {_KINDS[-1]}",
            is_relied_on=True,
        ),
    )

    name: Annotated[StageName, Field(description="Unique within the job; part of the names of its pods and folders.")]
    model: Annotated[
        StageModel | None,
        Field(description="Weights to start from; if unset, those of the latest training stage before it, or the job's model."),
    ] = None
    distill: Annotated[Distill | None, Field(description="Teachers write the training dialogues.")] = None
    feedback: Annotated[Feedback | None, Field(description="Make preference pairs from judged answers.")] = None
    sft: Annotated[Sft | None, Field(description="Supervised fine-tuning.")] = None
    dpo: Annotated[Dpo | None, Field(description="Direct preference optimization.")] = None
    dpo_distillation: Annotated[
        DpoDistillation | None, Field(description="DPO on a teacher's answers against the student's own.")
    ] = None
    evaluate: Annotated[Evaluate | None, Field(description="Measure models of the job.")] = None
    export: Annotated[Export | None, Field(description="Write the model for serving.")] = None
    compute: Annotated[
        Compute | None,
        Field(
            description="What differs from the job's compute; a stage that only asks endpoints has one pod and no GPU, "
            "unless this says otherwise."
        ),
    ] = None

    @property
    def kind(self) -> str:
        """Return the one kind that is set, as Python spells it."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def settings(self) -> Schema:
        """Return the settings of that kind."""
        settings = getattr(self, self.kind)
        assert isinstance(settings, Schema)
        return settings

    @property
    def training(self) -> TrainingSettings | None:
        """Return the settings of a stage that trains; None for other kinds."""
        return self.settings if isinstance(self.settings, TrainingSettings) else None
