"""What a model of the job answers to many prompts, with the tiny example's model."""

import copy
import re
import shutil

import pytest
import torch
from alignment_trainer.data.tokens import prompt_ids
from alignment_trainer.endpoints.question import Answer, SamplingSettings, Unanswered
from alignment_trainer.forms.examples import Dialogue
from alignment_trainer.synthesis import student as students
from alignment_trainer.synthesis.student import Asked, load_student, read_said, readable, sample
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

GREEDY, DRAWN = SamplingSettings(0, 1, 12), SamplingSettings(0.9, 0.95, 12)


@pytest.fixture(scope="module")
def student(workspace):
    return load_student(workspace / "inputs" / "tiny" / "model", "Model", torch.float32)


def asked(*texts, seed=0):
    return [Asked(f"{seed}/{text}", [{"role": "user", "content": text}], seed) for text in texts]


QUESTIONS = asked("How are you?", "Name a color.", "Why?", "Write a long poem about the sea and the wind in it.", "Hi")


def answers(student, folder, wanted=QUESTIONS, sampling=GREEDY):
    sample(student, wanted, sampling, folder)
    return list(read_said(folder, wanted))


def test_a_greedy_answer_is_what_the_model_says_alone(student, tmp_path):
    together = answers(student, tmp_path / "together")
    for one, said in zip(QUESTIONS, together, strict=True):
        (alone,) = answers(student, tmp_path / one.key.replace("/", " "), [one])
        assert said == alone
        ids = prompt_ids(Dialogue(one.messages, []), student.tokenizer)
        given = torch.tensor([ids])
        made = student.model.generate(given, attention_mask=torch.ones_like(given), do_sample=False, max_new_tokens=12)
        assert said.text == student.tokenizer.decode(made[0, len(ids) :], skip_special_tokens=True).strip()
        assert said.prompt_tokens == len(ids)


def test_a_drawn_answer_depends_on_its_seed_alone(student, tmp_path, monkeypatch):
    three = [*asked("How are you?", "Why?", seed=1), *asked("Why?", seed=2)]
    first = answers(student, tmp_path / "first", three, DRAWN)
    monkeypatch.setattr(students, "_CPU_BYTES", 1)
    assert answers(student, tmp_path / "alone", three, DRAWN) == first
    assert first[1].text != first[2].text
    assert first[1] == answers(student, tmp_path / "one", three[1:2], DRAWN)[0]


USERS_ONLY = "{% for message in messages %}<{{ message.role }}>{{ message.content }}\n{% endfor %}<assistant>"
REFUSING = "{% if messages[0].role == 'system' %}{{ raise_exception('no system messages') }}{% endif %}" + USERS_ONLY
SILENT = USERS_ONLY.replace("{% for message in messages %}", "{% for message in messages if message.role != 'system' %}")


@pytest.mark.parametrize(
    ("template", "takes_it"), [(USERS_ONLY, True), (REFUSING, False), (SILENT, False)], ids=["written", "refused", "left out"]
)
def test_a_system_message_reaches_a_model_whose_template_takes_none(template, takes_it, student, tmp_path):
    tokenizer = copy.deepcopy(student.tokenizer)
    tokenizer.chat_template = template
    told = [Asked("a", [{"role": "system", "content": "Be kind."}, *QUESTIONS[0].messages], 0), *QUESTIONS[1:]]
    other = student._replace(tokenizer=tokenizer)
    asked_so = readable(other, told)
    by_user = [{"role": "user", "content": "Be kind.\n\nHow are you?"}]
    assert [list(one.messages) for one in asked_so] == [list(told[0].messages) if takes_it else by_user] + [
        one.messages for one in QUESTIONS[1:]
    ]
    assert all(isinstance(said, Answer) for said in answers(other, tmp_path, asked_so))


def test_an_answer_ends_where_its_stop_text_occurs_and_its_batch_mates_go_on(student, tmp_path):
    whole = answers(student, tmp_path / "whole")
    stops = {place: re.compile(re.escape(whole[place].text[3:6])) for place in (0, 2)}
    found = answers(student, tmp_path / "stopped", [one._replace(stop=stops.get(place)) for place, one in enumerate(QUESTIONS)])
    for place, (said, known) in enumerate(zip(found, whole, strict=True)):
        if place in stops:
            assert known.text.startswith(said.text) and stops[place].search(said.text)
            assert said.answer_tokens < known.answer_tokens and said.finish == "stop"
        else:
            assert said == known


def test_an_answer_says_whether_it_was_cut(student, tmp_path):
    (cut,) = answers(student, tmp_path / "cut", QUESTIONS[:1], SamplingSettings(0, 1, 2))
    assert (cut.finish, cut.answer_tokens) == ("length", 2)
    whole = answers(student, tmp_path / "whole", QUESTIONS, SamplingSettings(0, 1, 200))
    assert any(said.finish == "stop" for said in whole)
    assert not any(student.tokenizer.eos_token in said.text for said in whole)


def test_a_prompt_without_room_for_its_answer_is_not_asked(student, tmp_path):
    room = student.model.config.max_position_embeddings
    long, short = answers(student, tmp_path, [*asked("word " * room), QUESTIONS[0]])
    assert isinstance(long, Unanswered) and long.reason == "UnreadablePrompt"
    assert isinstance(short, Answer)


def test_batches_of_an_earlier_attempt_are_not_drawn_again(student, tmp_path, monkeypatch):
    monkeypatch.setattr(students, "_CPU_BYTES", 1)
    expected = answers(student, tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "resumed")
    file = tmp_path / "resumed" / "process-0.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:2]) + lines[2][:10])
    drawn = []
    monkeypatch.setattr(students, "answers_at_once", lambda *given: drawn.append(given) or original(*given))
    assert answers(student, tmp_path / "resumed") == expected
    assert len(lines) == len(QUESTIONS) and len(drawn) == len(lines) - 2


def test_an_attempt_that_batches_otherwise_draws_what_is_missing_and_no_more(student, tmp_path, monkeypatch):
    """Another GPU may have more memory, and so larger batches."""
    expected = answers(student, tmp_path / "whole")
    monkeypatch.setattr(students, "_CPU_BYTES", 1)
    answers(student, tmp_path / "moved")
    file = tmp_path / "moved" / "process-0.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:2]))
    monkeypatch.undo()
    drawn = []
    monkeypatch.setattr(students, "answers_at_once", lambda model, ids, *given: drawn.extend(ids) or original(model, ids, *given))
    assert answers(student, tmp_path / "moved") == expected
    assert len(drawn) == len(QUESTIONS) - 2


original = students.answers_at_once


def test_a_text_is_continued_as_it_is(student, tmp_path):
    one = Asked("k", [{"role": "user", "content": "def double(value):\n   "}], 0, continues=True)
    (said,) = answers(student, tmp_path, [one])
    prompt = student.tokenizer(one.messages[0]["content"])["input_ids"]
    ids = student.model.generate(torch.tensor([prompt]), max_new_tokens=GREEDY.maximum_tokens, do_sample=False)[0].tolist()
    assert said.text == student.tokenizer.decode(ids[len(prompt) :], skip_special_tokens=True)
    assert said.prompt_tokens == len(prompt)


@pytest.mark.parametrize("text", ["    return 2", " x", "x", ""])
def test_what_continues_a_text_keeps_its_first_spaces(text):
    """Of a tokenizer that leaves a space out where a text begins, as those of SentencePiece do."""
    core = Tokenizer(models.BPE(byte_fallback=True, unk_token="?"))
    core.pre_tokenizer, core.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    core.train_from_iterator(["def f(x):\n    return 2 x"], trainers.BpeTrainer(special_tokens=["?"]))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core)
    prompt, whole = (tokenizer(given)["input_ids"] for given in ("def f(x):", f"def f(x):{text}"))
    assert whole[: len(prompt)] == prompt
    assert students._continued(tokenizer, prompt, whole[len(prompt) :]) == text
