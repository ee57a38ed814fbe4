"""Samples the student of a round on all processes, for the pairs of the round and for its judge."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from alignment_api.files import write_whole
from alignment_api.run_config import RunConfig

from alignment_trainer.data.chat import end_ids
from alignment_trainer.data.tokens import pair_tokens
from alignment_trainer.endpoints.question import Answer, Unanswered
from alignment_trainer.forms.examples import Pair
from alignment_trainer.model_folder.start import PARENT
from alignment_trainer.models.load_faults import loading
from alignment_trainer.models.loading import quantization
from alignment_trainer.models.tokenizer import load_tokenizer
from alignment_trainer.settings.dpo_distillation import DpoDistillationSettings
from alignment_trainer.settings.training import Settings, training_settings
from alignment_trainer.synthesis.first_process import on_first_process, shared
from alignment_trainer.synthesis.rounds.contrast import asked_of, report_of, write_pairs
from alignment_trainer.synthesis.rounds.lessons import Lesson
from alignment_trainer.synthesis.rounds.pairs import PairPolicy
from alignment_trainer.synthesis.rounds.round_config import Round, Student, held_out_file
from alignment_trainer.synthesis.rounds.round_judge import Contest, judge_questions, judge_round, judged_in
from alignment_trainer.synthesis.rounds.served_student import served_answers
from alignment_trainer.synthesis.student import Asked, free, load_student, read_said, sample

_SAID_FOLDER = "student"
_JUDGED_FOLDER = "judged"
_START_FOLDER = "judged-start"
_ALL_FILE = "all"
"""Marks a folder that holds the answers to all questions, so that the model need not be loaded to find that out."""


def contrast(config: RunConfig, settings: DpoDistillationSettings, one: Round, lessons: list[Lesson]) -> None:
    """Have the student of a round answer, and write the pairs; held-out questions are answered in the first round alone."""
    if shared(lambda: report_of(one) is not None):
        return
    asked_lessons = [lesson for lesson in lessons if one.number == 1 or not lesson.is_held_out]
    asked = asked_of(asked_lessons, one.number, settings.seed)
    if settings.student is None:
        _answer(config, settings, one.student, asked, one.folder / _SAID_FOLDER)

    def write() -> None:
        said: Iterator[Answer | Unanswered] | None = None
        if settings.student:
            said = iter(served_answers(config, settings, settings.student, one, asked))
        else:
            said = read_said(one.folder / _SAID_FOLDER, asked)
        own = training_settings(config)
        tokenizer = _tokenizer(one.student, own)
        ends = tuple(tokenizer.convert_ids_to_tokens(end_ids(tokenizer)))
        held_out = held_out_file(config) if one.number == 1 else None
        policy = PairPolicy(settings.keeps_cut, ends, settings.template)
        pairs = zip(asked_lessons, said, strict=True)
        write_pairs(one, settings, pairs, policy, lambda row: _fits(row, tokenizer, own.max_length), held_out)

    on_first_process(write)


def judge(config: RunConfig, settings: DpoDistillationSettings, one: Round, made: Student, start: Student) -> None:
    """Have the judge compare what a round made with the start of the stage, if there is a judge."""
    judging = settings.judge
    if judging is None or shared(lambda: judged_in(one.folder) is not None):
        return
    before, after = Path(config.paths.stage) / _START_FOLDER / start.weights[:16], one.folder / _JUDGED_FOLDER
    questions = judge_questions(config, settings)
    _answer(config, settings, start, questions, before)
    _answer(config, settings, made, questions, after)

    def decide() -> None:
        contest = Contest(questions, list(read_said(after, questions)), list(read_said(before, questions)))
        judge_round(config, settings, judging, contest, one.folder)

    on_first_process(decide)


def _answer(config: RunConfig, settings: DpoDistillationSettings, student: Student, asked: list[Asked], folder: Path) -> None:
    """Sample a student, unless an earlier attempt has; it computes with the weights as its training would begin with them."""
    if shared(lambda: (folder / _ALL_FILE).exists()):
        return
    own = training_settings(config)
    dtype = torch.bfloat16 if own.precision == "BFloat16" else torch.float32
    loaded = load_student(student.folder, own.chat_template, dtype, quantization(own))
    sample(loaded, asked, settings.student_sampling, folder)
    del loaded
    free()
    if PartialState().is_main_process:
        write_whole(folder / _ALL_FILE, "")


def _tokenizer(student: Student, own: Settings) -> Any:
    with loading("its tokenizer", PARENT):
        return load_tokenizer(student.folder, own.chat_template, needs_answers=False)


def _fits(row: Mapping[str, Any], tokenizer: Any, max_length: int) -> bool:
    pair = Pair(row["prompt"], row["chosen"], row["rejected"])
    return pair_tokens(pair, tokenizer, max_length)[1] != "unended"
