"""DPO-KD: a student learns, in one round or several, to prefer its teacher's answers to its own."""

from pathlib import Path

from alignment_api.run_config import RunConfig

from alignment_trainer.models.start import check_model, check_start, start_folder
from alignment_trainer.settings.dpo_distillation import DpoDistillationSettings, dpo_distillation_settings
from alignment_trainer.stages.dpo import Dpo, ReferenceModel
from alignment_trainer.synthesis.first_process import on_first_process, shared
from alignment_trainer.synthesis.rounds import gain
from alignment_trainer.synthesis.rounds.contrast import no_pairs, report_of
from alignment_trainer.synthesis.rounds.ended import Ended, end_round, left_of
from alignment_trainer.synthesis.rounds.lessons import Lesson, ask_teacher, read_lessons
from alignment_trainer.synthesis.rounds.own_student import contrast, judge
from alignment_trainer.synthesis.rounds.publishing import publish_best
from alignment_trainer.synthesis.rounds.round_config import Round, Student, config_of, reference_config, round_of
from alignment_trainer.synthesis.rounds.round_judge import fix_questions
from alignment_trainer.synthesis.rounds.stage_course import StageCourse
from alignment_trainer.training import deepspeed, recipe
from alignment_trainer.training.stopping import stop_at_once
from alignment_trainer.workspace.stage_folder import claim, clear_unfinished, is_done


def run(config: RunConfig) -> None:
    """Ask the teacher once, then sample, pair, train and judge round by round; publish the best student."""
    settings = dpo_distillation_settings(config)
    start = _start(config)
    on_first_process(lambda: _prepare(config, settings))
    lessons = read_lessons(Path(config.paths.stage))

    ended: list[Ended] = []
    for number in range(1, settings.rounds + 1):
        stop_at_once()
        deepspeed.load_whole()
        one = round_of(config, number, ended[-1].made if ended else start)
        if not _has_pairs(config, settings, one, lessons):
            break
        course = _train(config, settings, one, start, sum(each.steps for each in ended))
        stop_at_once()
        deepspeed.load_whole()
        judge(config, settings, one, left_of(one), start)
        ended.append(end_round(one, ended, course))
        if settings.judge and settings.stops_without_gain and gain.is_without_gain([each.outcomes for each in ended]):
            break
    publish_best(config, start, ended)


def _start(config: RunConfig) -> Student:
    """Check the model that the stage starts from."""
    folder = start_folder(config)
    check_model(config, folder, None)
    return Student(folder, shared(lambda: check_start(config, folder, None)))


def _prepare(config: RunConfig, settings: DpoDistillationSettings) -> None:
    ask_teacher(config, settings)
    if settings.judge:
        fix_questions(config, settings, settings.judge)


def _has_pairs(config: RunConfig, settings: DpoDistillationSettings, one: Round, lessons: list[Lesson]) -> bool:
    """Make the pairs of a round; a later round may have none, when the student answers as its teacher does."""
    own = config_of(config, one, settings.keeps_earlier_pairs)
    on_first_process(lambda: claim(own))
    contrast(config, settings, one, lessons)
    report = shared(lambda: report_of(one))
    assert report is not None, "all pairs of the round are written"
    if not report["pairs"] and one.number == 1:
        raise no_pairs(report, settings)
    return bool(report["pairs"])


def _train(
    config: RunConfig, settings: DpoDistillationSettings, one: Round, start: Student, first_step: int
) -> StageCourse | None:
    """Train a round as a stage of its own, with the points of its journal in that of the stage; only the first process has it."""
    own = config_of(config, one, settings.keeps_earlier_pairs)
    course = StageCourse.of(Path(config.paths.stage), one.folder, first_step, settings.rounds - one.number)
    if shared(lambda: is_done(own)):
        return course
    on_first_process(lambda: clear_unfinished(one.folder))
    reference = None
    if settings.refers_to_stage_start and one.number > 1:
        # Its values are kept under the hash of its weights, so that the training finds them and needs no second model.
        with_start = reference_config(own, start)
        on_first_process(lambda: claim(with_start))
        recipe.prepare(with_start, Dpo(with_start))
        reference = ReferenceModel(start.folder, start.weights)
    recipe.run(own, Dpo(own, reference, [course] if course else []))
    return course
