"""Tasks of an evaluate stage are checked before any stage starts."""

import json

import pytest
from alignment_api.spec.settings.evaluation import Measure
from alignment_trainer.checks.preflight import check
from alignment_trainer.checks.tasks import TASKS
from alignment_trainer.evaluation.tasks import open_tasks
from alignment_trainer.failures import BadConfiguration, BadData
from evaluated_jobs import copy_models, exam_config, task, write_rows

QUIZ = {"question": "What is 1 + 1?", "choices": ["1", "2"], "answer": 1}
TALK = {"question": "What is 1 + 1?", "answer": "It is 2."}
FIELD = r"\(spec.stages\[1\].evaluate.tasks\[0\].dataset.uri\)"


@pytest.fixture
def root(workspace, tmp_path):
    copy_models(workspace, tmp_path)
    return tmp_path


def test_each_measure_has_its_row():
    assert set(TASKS) - {"benchmark"} <= set(Measure.__args__)


@pytest.mark.parametrize(
    ("measure", "row"),
    [
        ("MultipleChoice", QUIZ),
        ("MultipleChoice", {**QUIZ, "answer": "B"}),
        ("MultipleChoice", {**QUIZ, "answer": "2"}),
        ("MultipleChoice", {**QUIZ, "choices": {"text": ["1", "2"], "label": ["1.", "2."]}, "answerKey": "2.", "answer": None}),
        ("MultipleChoice", {"query": "What?", "choices": ["a", "b"], "gold": 0}),
        ("References", TALK),
        ("References", {"prompt": "Say it.", "references": ["It.", "That."]}),
        ("References", {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}),
    ],
)
def test_rows_that_can_be_measured(root, measure, row):
    write_rows(root, "rows", [row])
    check(exam_config(root, [task("rows", measure)]))


@pytest.mark.parametrize(
    ("measure", "row", "sentence"),
    [
        ("MultipleChoice", TALK, r"has no question with choices; it needs question, choices and answer .*has answer, question "),
        ("MultipleChoice", {**QUIZ, "answer": 2}, "answer is 2, but the options are 0 to 1; correct it "),
        ("MultipleChoice", {**QUIZ, "answer": "3"}, "answer does not name exactly one option; .* "),
        ("MultipleChoice", {**QUIZ, "answer": None}, "has no answer; it needs question, choices and answerKey or answer "),
        ("References", {"question": "Why?"}, "has no prompt and no completion; .* "),
        ("References", {"question": "Why?", "references": []}, "references is empty; .* "),
        ("References", {"question": "Why?", "references": ["So.", ""]}, r"references\[1\] is empty; .* "),
    ],
)
def test_rows_that_cannot_be_measured_are_named(root, measure, row, sentence):
    good = QUIZ if measure == "MultipleChoice" else TALK
    write_rows(root, "rows", [good, row])
    with pytest.raises(BadData, match=f"^rows.jsonl:2: {sentence}{FIELD}$"):
        check(exam_config(root, [task("rows", measure)]))


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"window": 1024}, r"tasks\[0\].window: 1024, but the model reads at most 512 tokens; lower it"),
        ({"stride": 600}, r"tasks\[0\].stride: 600, so the text between two windows of 512 tokens would not be measured"),
    ],
)
def test_windows_that_the_model_cannot_read_are_refused_before_it_is_trained(root, settings, fault):
    write_rows(root, "texts", [{"text": "A text."}])
    with pytest.raises(BadConfiguration, match=fault):
        check(exam_config(root, [task("texts", "Perplexity", **settings)]))


BENCH = [
    {"question_id": 1, "category": "math", "turns": ["What is 1 + 1?"]},
    {"question_id": 2, "category": "coding", "turns": ["Print 1."], "reference": ["print(1)"]},
    {"question_id": 3, "category": "writing", "turns": ["Write a line."]},
]
ANSWERS = [{"question_id": 1, "choices": [{"turns": ["2"]}]}]
DUEL = [{"instruction": f"What is {number} + 1?", "output": f"It is {number + 1}."} for number in range(3)]
JUDGED = [
    task("bench", "MTBench", references={"uri": "workspace://answers.jsonl"}),
    task("duel", "AlpacaEval", against={"outputs": {"uri": "workspace://theirs.jsonl"}}),
]
_BENCH, _THEIRS = r"spec.stages\[1\].evaluate.tasks\[0\]", r"spec.stages\[1\].evaluate.tasks\[1\].against.outputs"
UNJOINED = {
    "a question twice": ({"bench": [*BENCH, BENCH[0]]}, rf"{_BENCH}.dataset: question_id 1 occurs twice; [^\n]*"),
    "no reference answer": (
        {"answers": [{**ANSWERS[0], "question_id": 3}]},
        rf"{_BENCH}.references: it has no answer to 1 of 2 questions of math, coding and reasoning, such as question_id 1; .*",
    ),
    "two reference answers": ({"answers": ANSWERS * 2}, r"answers.jsonl:2: it is a second answer to question_id 1; [^\n]*"),
    "an answer of the opponent is missing": (
        {"theirs": DUEL[:2]},
        rf"{_THEIRS}: it has no answer to 1 of 3 instructions, such as the one at duel.jsonl:3; [^\n]*",
    ),
    "faults of two tasks": (
        {"bench": [*BENCH, BENCH[0]], "theirs": [*DUEL, {**DUEL[1], "output": "3"}]},
        rf"{_BENCH}.dataset: question_id 1 occurs twice; [^\n]*\ntheirs.jsonl:4: it is another answer to an instruction [^\n]*",
    ),
}


def judged(root, **files):
    for name, rows in {"bench": BENCH, "answers": ANSWERS, "duel": DUEL, "theirs": DUEL, **files}.items():
        write_rows(root, name, rows)
    return exam_config(root, JUDGED, judges=[{"baseUrl": "http://judge/v1", "model": "large"}])


@pytest.mark.parametrize("situation", UNJOINED)
def test_rows_that_lack_what_is_in_a_file_beside_them_are_found_before(root, situation):
    files, sentences = UNJOINED[situation]
    check(judged(root))
    with pytest.raises(BadData, match=f"^{sentences}$"):
        check(judged(root, **files))


def test_only_rows_that_are_measured_need_an_answer_of_the_opponent(root):
    judged(root)
    config = exam_config(root, [{**JUDGED[1], "limit": 1}], judges=[{"baseUrl": "http://judge/v1", "model": "large"}])
    (measured,) = open_tasks(config)[0].rows
    drawn = DUEL[int(measured.place.rpartition(":")[2]) - 1]
    write_rows(root, "theirs", [drawn])
    check(config)
    write_rows(root, "theirs", [row for row in DUEL if row != drawn])
    with pytest.raises(BadData, match="it has no answer to 1 of 1 instructions"):
        check(config)


def test_a_model_without_a_chat_template_cannot_be_asked_but_measured_by_likelihood(root):
    for folder in (root / "inputs/tiny/model", root / "job/sft/model"):
        (folder / "chat_template.jinja").unlink(missing_ok=True)
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        settings.pop("chat_template", None)
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    write_rows(root, "quiz", [QUIZ])
    write_rows(root, "talk", [TALK])
    check(exam_config(root, [task("quiz", "MultipleChoice")]))
    with pytest.raises(BadConfiguration, match=r"evaluate.tasks\[0\]: the model's tokenizer has no chat template"):
        check(exam_config(root, [task("talk", "References")]))


def test_rows_of_an_earlier_stage_are_allowed_and_checked_later(root):
    lessons = {"name": "talk", "measure": "References", "dataset": {"stage": "lessons"}}
    config = exam_config(root, [lessons], before=[LESSONS])
    begun = config.model_copy(update={"stage_name": "lessons"})
    write_rows(root, "topics", [{"topic": "Sums"}])
    (remark,) = check(begun).remarks
    assert remark.startswith("spec.stages[2].evaluate.tasks[0].dataset.stage: the rows of stage 'lessons' do not exist yet")


LESSONS = {
    "name": "lessons",
    "distill": {"teachers": [{"baseUrl": "http://t/v1", "model": "t"}], "prompts": [{"uri": "workspace://topics.jsonl"}]},
}
