"""Datasets: where rows come from, and which of them are held out or dropped."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from alignment_api.schema import Rule, Schema, count_set, exactly_one
from alignment_api.spec.values import NO_WAY_UP, Fraction, Name, OpenFraction, StageName, Uri

STAGE_PREFIX = "stage:"
_OF_A_URI = ("revision", "configuration", "split")


Column = Annotated[str, Field(min_length=1, max_length=128)]


class Columns(Schema):
    """Which column holds what, by its name, or by a dotted path into objects and lists, such as completion.text or answers.0."""

    rules: ClassVar = (
        Rule(
            f"{count_set('answer', 'chosen', 'messages', 'text')} == 1",
            exactly_one("answer", "chosen", "messages", "text"),
            "set exactly one of answer, chosen, messages and text: what a row teaches",
            is_relied_on=True,
        ),
        Rule(
            "has(self.chosen) == has(self.rejected)",
            lambda columns: (columns.chosen is None) == (columns.rejected is None),
            "set chosen and rejected together, since a pair has both",
            is_relied_on=True,
        ),
        Rule(
            "has(self.prompt) || !has(self.answer)",
            lambda columns: columns.prompt is not None or columns.answer is None,
            "answer needs prompt: name the column with the question",
            is_relied_on=True,
        ),
        Rule(
            "has(self.prompt) || !has(self.context)",
            lambda columns: columns.prompt is not None or columns.context is None,
            "context needs prompt, to which it is added; name the column with the question",
        ),
        Rule(
            "!has(self.prompt) || !(has(self.messages) || has(self.text))",
            lambda columns: columns.prompt is None or (columns.messages is None and columns.text is None),
            "messages and text already contain the question; remove prompt",
        ),
        Rule(
            "!has(self.text) || !(has(self.system) || has(self.tools))",
            lambda columns: columns.text is None or (columns.system is None and columns.tools is None),
            "text is learned as it is, without a chat template; remove system and tools",
        ),
        Rule(
            "has(self.answer) || !has(self.label)",
            lambda columns: columns.answer is not None or columns.label is None,
            "label says whether an answer is good; set prompt and answer too",
        ),
    )

    prompt: Annotated[Column | None, Field(description="The question: a text, or a list of messages.")] = None
    context: Annotated[
        Column | None, Field(description="A text that follows the question after an empty line; may be empty.")
    ] = None
    system: Annotated[Column | None, Field(description="The system message; may be empty.")] = None
    answer: Annotated[Column | None, Field(description="The answer to learn: a text, or a list of messages.")] = None
    chosen: Annotated[Column | None, Field(description="The better answer of a pair, or a whole dialogue that ends with it.")] = (
        None
    )
    rejected: Annotated[Column | None, Field(description="The worse answer of a pair, in the same form as chosen.")] = None
    label: Annotated[Column | None, Field(description="Whether the answer is good, as KTO's rows say it: true or false.")] = None
    messages: Annotated[Column | None, Field(description="A whole dialogue: a list of messages, in any of the known forms.")] = (
        None
    )
    tools: Annotated[Column | None, Field(description="The tools that the assistant may call; may be empty.")] = None
    text: Annotated[
        Column | None,
        Field(description="A text that is learned as it is, from its first to its last token (language modelling)."),
    ] = None


class Dataset(Schema):
    """One named source of rows, whose form is recognised by their columns (docs/data.md)."""

    rules: ClassVar = (
        NO_WAY_UP,
        Rule(
            f"{count_set('uri', 'stage')} == 1",
            exactly_one("uri", "stage"),
            "set exactly one of uri and stage (an earlier stage that writes rows)",
            is_relied_on=True,
        ),
        Rule(
            f"has(self.uri) || {count_set(*_OF_A_URI)} == 0",
            lambda dataset: dataset.uri is not None or all(getattr(dataset, field) is None for field in _OF_A_URI),
            "revision, configuration and split need uri: the rows of a stage have none of them; remove them",
        ),
    )

    uri: Annotated[
        Uri | None,
        Field(description="hf://owner/name, workspace://path or s3://bucket/key: a file, or a folder of files on the last two."),
    ] = None
    stage: Annotated[
        StageName | None, Field(description="An earlier stage of this job whose rows are read, in place of uri.")
    ] = None
    name: Annotated[
        Name | None,
        Field(
            description="Name in manifests and counts; if unset, the last part of the uri or the stage's name, and more of it if "
            "several are the same."
        ),
    ] = None
    revision: Annotated[str | None, Field(max_length=64, description="Commit of a Hub dataset; pin it to be reproducible.")] = (
        None
    )
    configuration: Annotated[str | None, Field(max_length=128, description="Configuration (subset) of a Hub dataset.")] = None
    split: Annotated[
        str | None, Field(max_length=128, pattern=r"^[A-Za-z0-9._]+$", description="Split of a Hub dataset, such as train_sft.")
    ] = None
    columns: Annotated[
        Columns | None,
        Field(description="Which columns hold what, for rows whose form is not recognised or is to be read differently."),
    ] = None
    fraction: Annotated[Fraction | None, Field(description="Share of the rows that is used, drawn with the stage's seed.")] = None
    max_examples: Annotated[
        int | None, Field(ge=1, le=1_000_000_000, description="At most this many rows: min(maxExamples, rows available).")
    ] = None
    cleaning: Annotated[
        list[Literal["Truecase", "DropRefusals"]] | None,
        Field(
            min_length=1,
            max_length=2,
            description="Truecase corrects sentences written in small or in capital letters alone; DropRefusals drops rows whose "
            "assistant speaks of itself as an AI or as without feelings and opinions.",
        ),
    ] = None

    @property
    def source(self) -> str:
        """Return where the rows come from, as messages name it."""
        return self.uri or f"{STAGE_PREFIX}{self.stage}"


Datasets = Annotated[list[Dataset], Field(min_length=1, max_length=64)]


class Holdout(Schema):
    """Rows kept out of training for evaluation, taken from each dataset before they are merged."""

    rules: ClassVar = (
        Rule(
            f"{count_set('fraction', 'examples', 'datasets')} == 1",
            exactly_one("fraction", "examples", "datasets"),
            "set exactly one of fraction, examples and datasets",
        ),
    )

    fraction: Annotated[OpenFraction | None, Field(description="Share of each dataset.")] = None
    examples: Annotated[
        int | None, Field(ge=1, le=10_000_000, description="Number of rows, shared among the datasets by size.")
    ] = None
    datasets: Annotated[Datasets | None, Field(description="Separate datasets that are only evaluated on.")] = None


class Decontamination(Schema):
    """Drop training rows that contain texts of the evaluation datasets."""

    rules: ClassVar = (
        Rule(
            "self.datasets.all(dataset, !has(dataset.cleaning))",
            lambda decontamination: all(dataset.cleaning is None for dataset in decontamination.datasets),
            "evaluation datasets are not cleaned; remove cleaning",
        ),
        Rule(
            "self.datasets.all(dataset, !has(dataset.columns))",
            lambda decontamination: all(dataset.columns is None for dataset in decontamination.datasets),
            "all texts of evaluation datasets are compared, whatever their columns; remove columns",
        ),
    )

    datasets: Annotated[
        list[Dataset],
        Field(min_length=1, max_length=32, description="The evaluation datasets; all texts of their rows are compared."),
    ]
    ngram_words: Annotated[int | None, Field(ge=2, le=64, description="Number of consecutive words that must match.")] = None
    overlap: Annotated[
        Fraction | None, Field(description="A training row is dropped if it contains at least this share of a text's words.")
    ] = None
