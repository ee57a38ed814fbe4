"""Reward accuracy and margin: whether a training moved its model towards the better answer of each pair."""

from collections.abc import Iterator, Sequence

from accelerate import PartialState
from alignment_api.results.evaluation import Details, EvaluatedRow, Settings
from alignment_api.run_config import RunConfig
from alignment_api.spec.lineage import last_training, reference_of, references_of
from alignment_api.spec.stage_model import StageModel
from jinja2 import TemplateError

from alignment_trainer.asking.prompts import readable
from alignment_trainer.data.tokens import UNCUT, pair_tokens
from alignment_trainer.evaluation.likelihood import Item, Text, measure_items
from alignment_trainer.evaluation.measure import Measure, Metric, RowsOfModels
from alignment_trainer.evaluation.row_file import RowFile
from alignment_trainer.evaluation.subject import Subject
from alignment_trainer.evaluation.tasks import OpenTask
from alignment_trainer.forms.examples import Pair
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.settings.evaluation import model_name
from alignment_trainer.synthesis.prompts import alone

_BASE = model_name(StageModel(base=True))
_ACCURACY, _MARGIN, _NORMALIZED, _TIES = "reward_accuracy", "reward_margin", "normalized_accuracy", "ties"
_LENGTHS = ("chosen_tokens", "rejected_tokens")
_CHOSEN, _REJECTED = "chosen_likelihood", "rejected_likelihood"
_METRICS = (
    Metric(_ACCURACY, "Higher", is_main=True),
    Metric(_MARGIN, "Higher", is_unbounded=True),
    Metric(_NORMALIZED, "Higher"),
    Metric(_TIES, "Lower"),
    *(Metric(name, "Neither", is_unbounded=True) for name in _LENGTHS),
)


def _settings(task: OpenTask) -> Settings:
    return {
        "reference": "what the last training of each model started from; of the job's own model itself",
        "reward": "beta times by how much the answer is likelier than under the reference, with its end token",
        "ties": "wrong",
        "normalized": "rewards by the tokens of the answer",
    }


def beta_of(config: RunConfig, model: StageModel) -> float:
    """Return the beta with which a model was trained on pairs; 1 where its last training was another one."""
    training = last_training(config.spec, model)
    beta: float | None = getattr(training.settings, "beta", None) if training else None
    return 1.0 if beta is None else beta


def _measure(subject: Subject, task: OpenTask, file: RowFile) -> None:
    pairs = {row.place: row.value for row in task.rows}
    texts = {place: _texts(pair, subject) for place, pair in pairs.items()}
    items = [Item(place, found) for place, found in texts.items() if not isinstance(found, str)]

    def evaluated(item: Item, found: list[list[float]]) -> EvaluatedRow:
        return _row(item.row, pairs[item.row]).model_copy(update={"details": _details(found)})

    def unread(item: Item, why: str) -> EvaluatedRow:
        return _row(item.row, pairs[item.row]).model_copy(update={"reason": why})

    measure_items(subject, items, file, evaluated, unread)
    if PartialState().is_main_process:
        faults = {place: found for place, found in texts.items() if isinstance(found, str)}
        file.append(_row(place, pairs[place]).model_copy(update={"reason": why}) for place, why in faults.items())


def _texts(pair: Pair, subject: Subject) -> list[Text] | str:
    """Return the prompt with each of its answers, or why the model's chat template cannot write it."""
    try:
        tokens, _ = pair_tokens(pair, subject.tokenizer, UNCUT)
    except (BadRow, TemplateError) as error:
        return str(error)
    assert tokens is not None, "nothing is cut"
    prompt = tokens["prompt_ids"]
    # Without a token before it, nothing predicts the first one.
    return [Text([*prompt, *tokens[answer]], max(1, len(prompt))) for answer in ("chosen_ids", "rejected_ids")]


def _row(place: str, pair: Pair) -> EvaluatedRow:
    prompt = readable(pair.prompt) if pair.prompt else ""
    return EvaluatedRow(
        # Pairs without a prompt are not of one prompt: they share nothing.
        key=alone(prompt or "\n\n".join(map(readable, (pair.chosen, pair.rejected))), place).key,
        row=place,
        prompt=prompt,
        answer=readable(pair.rejected),
        reference=readable(pair.chosen),
        scores={},
    )


def _details(found: Sequence[Sequence[float]]) -> Details:
    chosen, rejected = found
    return {_CHOSEN: sum(chosen), _REJECTED: sum(rejected), **dict(zip(_LENGTHS, map(len, found), strict=True))}


def _finished(task: OpenTask, model: str, rows: RowsOfModels) -> list[EvaluatedRow]:
    beta, reference = beta_of(task.config, _model(model)), model_name(_reference(task, model))
    if model == reference:
        return [_unrewarded(row) for row in rows[model]]
    before = {row.row: row for row in rows[reference]}
    return [rewarded(row, before[row.row], beta) for row in rows[model]]


def _unrewarded(row: EvaluatedRow) -> EvaluatedRow:
    """Return the row of a model that is its own reference: rewards of 0 would stand in the table as if it were always wrong."""
    if row.reason:
        return row.model_copy(update={"scores": dict.fromkeys(metric.name for metric in _METRICS)})
    return row.model_copy(update={"scores": {name: _number(row, name) for name in _LENGTHS}})


def _model(name: str) -> StageModel:
    return StageModel(base=True) if name == _BASE else StageModel(stage=name)


def _reference(task: OpenTask, model: str) -> StageModel:
    return reference_of(task.config.spec, _model(model))


def _notes(task: OpenTask, rows: RowsOfModels) -> Iterator[str]:
    for model in rows:
        reference = model_name(_reference(task, model))
        if model == reference:
            yield f"{task.name}: no training made {model}, so it has no reference and no reward"
        else:
            yield f"{task.name}: the reference of {model} is {reference}, and beta is {beta_of(task.config, _model(model)):g}"


def rewarded(row: EvaluatedRow, reference: EvaluatedRow, beta: float) -> EvaluatedRow:
    """Return the row of a pair with what it gained over the reference; equal rewards are a tie, which is wrong."""
    reason = row.reason or reference.reason
    if reason:
        return row.model_copy(update={"scores": dict.fromkeys(metric.name for metric in _METRICS), "reason": reason})
    rewards = [beta * (_number(row, name) - _number(reference, name)) for name in (_CHOSEN, _REJECTED)]
    lengths = [_number(row, name) for name in _LENGTHS]
    by_length = [reward / max(1, length) for reward, length in zip(rewards, lengths, strict=True)]
    scores = {
        _ACCURACY: float(rewards[0] > rewards[1]),
        _MARGIN: rewards[0] - rewards[1],
        _NORMALIZED: float(by_length[0] > by_length[1]),
        _TIES: float(rewards[0] == rewards[1]),
        **dict(zip(_LENGTHS, lengths, strict=True)),
    }
    known = {f"reference_{name}": reference.details[name] for name in (_CHOSEN, _REJECTED)}
    return row.model_copy(update={"scores": scores, "details": {**row.details, **known, "beta": beta}})


def _number(row: EvaluatedRow, name: str) -> float:
    return float(row.details[name] or 0)


def _others(task: OpenTask) -> Sequence[StageModel]:
    return references_of(task.config.spec, task.config.stage)


MEASURE = Measure(
    lambda task: _METRICS, _settings, _measure, finish=_finished, others=_others, relative_to=_reference, notes=_notes
)
