"""The model card of an exported folder: how it was made, from which data, what was measured of it, and how to serve it."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from alignment_api.names import HUB_PREFIX
from alignment_api.results.evaluation import Estimate, Score
from alignment_api.results.export import ExportReport
from alignment_api.run_config import RunConfig
from alignment_api.spec.data import Dataset
from alignment_api.spec.parts import parts_of
from alignment_api.spec.stage_model import BASE
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from alignment_trainer.exporting.describing.origins import Setting, settings_of
from alignment_trainer.exporting.describing.scores import scores_of
from alignment_trainer.exporting.formats import FORMATS
from alignment_trainer.exporting.original import Ancestor
from alignment_trainer.workspace.base_record import read_base

CARD_FILE = "README.md"


def card_of(config: RunConfig, report: ExportReport, ancestors: Sequence[Ancestor], destinations: Sequence[str]) -> str:
    """Return the text of the card, with the metadata that the Hub reads at its head."""
    scores = list(scores_of(config, report.model, report.weights))
    sections = [
        f"# {_name(config)}",
        _summary(config, report),
        *_serving(report, destinations),
        *_proof(report),
        *_section("Scores", "of the model before it was written in this format", _score_rows(scores)),
        *_section("Data", "", _data_rows(ancestors)),
        *_section("Lineage", "from the first weights to these", _lineage_rows(config, report, ancestors)),
        *_section("Recipe", "", _recipe_rows(settings_of(config.spec, {one.stage for one in ancestors}))),
    ]
    return str(
        ModelCard(f"---\n{_metadata(config, report, scores, ancestors).to_yaml()}\n---\n\n" + "\n\n".join(sections) + "\n")
    )


def _name(config: RunConfig) -> str:
    return f"{config.job.name}-{config.stage_name}"


def _summary(config: RunConfig, report: ExportReport) -> str:
    what = "The job's own model" if report.model == BASE else f"The model of stage `{report.model}`"
    notes = "".join(f"\n- {note}" for note in report.notes)
    return f"{what} of the alignment job `{config.job.name}`, {FORMATS[report.quantization].described}." + (
        f"\n{notes}" if notes else ""
    )


def _serving(report: ExportReport, destinations: Sequence[str]) -> Iterator[str]:
    found = FORMATS[report.quantization]
    named = next((uri.removeprefix(HUB_PREFIX) for uri in destinations if uri.startswith(HUB_PREFIX)), "FOLDER")
    needs = f"transformers also needs `pip install {found.package}`. " if found.package else ""
    yield "## Serving"
    yield (
        f"```\nvllm serve {named}\n```\n\n{needs}The folder has the chat template and the end tokens, so a client sends messages "
        f"to `/v1/chat/completions` and needs to set neither."
    )


def _proof(report: ExportReport) -> Iterator[str]:
    if not (report.original and report.rounded and report.written):
        return
    yield "## Against the original"
    rows = [("model", "perplexity", "KL per token, nats", "same likeliest token")]
    for name, one in (("original, 32 bit", report.original), ("original in bfloat16", report.rounded), ("this", report.written)):
        rows.append((name, _figure(one.perplexity), _figure(one.divergence), _figure(one.agreement)))
    ratio = report.after.all_bytes / report.before.all_bytes
    yield _table(rows) + (
        f"\n\nOn {report.tokens} tokens of {report.original.perplexity.count} rows; ± is a standard error. The tensors have "
        f"{report.after.all_bytes} bytes, {ratio:.2f} of the original's {report.before.all_bytes}."
    )


def _score_rows(scores: Iterable[tuple[str, Score]]) -> list[tuple[str, ...]]:
    head = ("stage", "task", "metric", "value", "prompts")
    rows = [(stage, one.task, one.metric, _figure(one.estimate), str(one.estimate.count)) for stage, one in scores]
    return [head, *rows] if rows else []


def _data_rows(ancestors: Iterable[Ancestor]) -> list[tuple[str, ...]]:
    head = ("stage", "dataset", "revision", "rows available", "rows used")
    rows = []
    for one in ancestors:
        revisions = one.manifest.get("revisions", {})
        for name, counts in one.manifest.get("rows", {}).items():
            row = (one.stage, name, revisions.get(name, "-"), counts.get("available", "-"), counts.get("used", "-"))
            rows.append(tuple(map(str, row)))
    return [head, *rows] if rows else []


def _lineage_rows(config: RunConfig, report: ExportReport, ancestors: Iterable[Ancestor]) -> list[tuple[str, ...]]:
    base, model = read_base(config), config.spec.model
    first = (model.uri if model else None) or "-"
    revision = base.revision if base and base.revision else ""
    rows = [(BASE, f"{first}{f' at {revision}' if revision else ''}", _short(base.digest if base else None))]
    rows += [(one.stage, str(one.manifest.get("kind", "-")), _short(one.made)) for one in ancestors]
    rows.append((config.stage_name, f"export, {report.quantization}", _short(report.written_weights)))
    return [("stage", "what", "hash of the weights"), *rows]


def _recipe_rows(settings: Iterable[Setting]) -> list[tuple[str, ...]]:
    rows = [tuple(setting) for setting in settings]
    return [("setting", "value", "chosen by"), *rows] if rows else []


def _metadata(
    config: RunConfig, report: ExportReport, scores: Iterable[tuple[str, Score]], ancestors: Iterable[Ancestor]
) -> ModelCardData:
    uri = config.spec.model.uri if config.spec.model else None
    return ModelCardData(
        model_name=_name(config),
        base_model=uri.removeprefix(HUB_PREFIX) if uri and uri.startswith(HUB_PREFIX) else None,
        datasets=sorted(_hub_datasets(config, {one.stage for one in ancestors})) or None,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["alignment-operator", report.quantization.lower()],
        eval_results=[_result(score) for _, score in scores if score.estimate.value is not None] or None,
    )


def _hub_datasets(config: RunConfig, stages: set[str]) -> set[str]:
    named = [stage for stage in config.spec.stages or [] if stage.name in stages]
    found = (dataset.uri for stage in named for _, dataset in parts_of(stage, Dataset))
    return {uri.removeprefix(HUB_PREFIX) for uri in found if uri and uri.startswith(HUB_PREFIX)}


def _result(score: Score) -> EvalResult:
    estimate = score.estimate
    return EvalResult(
        task_type="text-generation",
        dataset_type=score.task,
        dataset_name=score.task,
        metric_type=score.metric,
        metric_value=estimate.value,
        metric_args={"prompts": estimate.count, "standard_error": estimate.error},
    )


def _section(title: str, about: str, rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if rows:
        yield f"## {title}"
        yield (f"{about[0].upper()}{about[1:]}.\n\n" if about else "") + _table(rows)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    head, *others = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines: list[Any] = [head, ["---"] * len(head), *others]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _figure(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "-"
    return f"{estimate.value:.4g}" + (f" ± {estimate.error:.2g}" if estimate.error is not None else "")


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "-"
