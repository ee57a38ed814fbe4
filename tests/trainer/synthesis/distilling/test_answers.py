"""One answer to each prompt, by the teacher that its row falls to."""

import asyncio

import pytest
from alignment_trainer.endpoints.question import Answer, Unanswered
from alignment_trainer.settings.synthesis import distill_settings
from alignment_trainer.synthesis.distilling.answers import Answers
from alignment_trainer.synthesis.made import LeftOut
from alignment_trainer.synthesis.prompts import Prompt, key_of, with_system

TEACHERS = [{"baseUrl": f"http://{name}.example/v1", "model": name} for name in ("a", "b", "c")]


def prompt(text, system=None):
    messages = (*([{"role": "system", "content": system}] if system else []), {"role": "user", "content": text})
    return Prompt(key_of(messages), messages, {}, f"rows.jsonl:{text}")


def made(config, asked, reply=None):
    """Return what becomes of a prompt, and what the teachers were asked."""
    questions = []

    async def ask(server, question):
        questions.append((server, question))
        return reply or Answer("yes", "stop", 3, 1)

    return asyncio.run(Answers(distill_settings(config), ask)(asked)), questions


def test_a_row_is_a_dialogue_that_says_where_it_comes_from(distilling, tmp_path):
    config = distilling(tmp_path, teachers=TEACHERS)
    (row,), ((_, question),) = made(config, prompt("1"))
    assert row["messages"] == [{"role": "user", "content": "1"}, {"role": "assistant", "content": "yes"}]
    assert row["provenance"] == {
        "teacher": {"model": "b", "baseUrl": "http://b.example/v1", "field": "spec.stages[0].distill.teachers[1]"},
        "prompt": {"key": prompt("1").key, "place": "rows.jsonl:1"},
        "seed": question.seed,
        "template": None,
        "finish": ["stop"],
    }


def test_teachers_share_the_rows_by_seed_and_prompt_alone(distilling, tmp_path):
    def takers(seed):
        config = distilling(tmp_path, teachers=TEACHERS, seed=seed)
        return [made(config, prompt(str(number)))[1][0][0].endpoint.model for number in range(60)]

    assert takers(1) == takers(1) != takers(2)
    assert all(takers(1).count(name) >= 12 for name in "abc")


def test_each_prompt_has_a_seed_of_its_own_that_the_stage_s_seed_changes(distilling, tmp_path):
    seeds = {
        (stage_seed, number): made(distilling(tmp_path, seed=stage_seed), prompt(str(number)))[1][0][1].seed
        for stage_seed in (1, 2)
        for number in range(20)
    }
    assert len(set(seeds.values())) == 40
    assert all(0 <= seed < 2**31 for seed in seeds.values())


SYSTEMS = [
    (None, None, None),
    (None, "own", "own"),
    ("Be short.", None, "Be short."),
    ("Be short.", "own", "Be short.\n\nown"),
]


@pytest.mark.parametrize(("stage", "own", "asked"), SYSTEMS)
def test_what_the_stage_tells_the_teachers_stays_out_of_the_rows(stage, own, asked, distilling, tmp_path):
    (row,), ((_, question),) = made(distilling(tmp_path, **({"systemPrompt": stage} if stage else {})), prompt("1", own))
    assert [message["content"] for message in question.messages] == [*filter(None, [asked]), "1"]
    assert [message["content"] for message in row["messages"]] == [*filter(None, [own]), "1", "yes"]
    assert with_system(prompt("1").messages, None) == prompt("1").messages


OUTCOMES = [
    ("Drop", Answer("ye", "length", 3, 1), LeftOut("cut")),
    ("Keep", Answer("ye", "length", 3, 1), ["length"]),
    ("Drop", Unanswered("EmptyAnswer", "no text"), LeftOut("EmptyAnswer", "no text", has_failed=True)),
]


@pytest.mark.parametrize(("policy", "reply", "outcome"), OUTCOMES)
def test_an_unusable_answer_is_left_out_with_its_reason(policy, reply, outcome, distilling, tmp_path):
    found, _ = made(distilling(tmp_path, cutAnswers=policy), prompt("1"), reply)
    assert outcome == (found if isinstance(found, LeftOut) else found[0]["provenance"]["finish"])
