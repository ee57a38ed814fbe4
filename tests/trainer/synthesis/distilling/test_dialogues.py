"""A teacher and a simulated user take turns; each turn is asked once, by a question of its own."""

import asyncio
from dataclasses import replace

import pytest
from alignment_trainer.endpoints.question import Answer, Unanswered
from alignment_trainer.settings.synthesis import distill_settings
from alignment_trainer.synthesis.distilling.dialogues import Dialogues
from alignment_trainer.synthesis.made import LeftOut
from alignment_trainer.synthesis.prompts import alone

TEACHER = {"baseUrl": "http://teacher.example/v1", "model": "teacher"}
USER = {"baseUrl": "http://user.example/v1", "model": "user"}
PROMPT = alone("fjords", "rows.jsonl:1")


class Scripted:
    """Answers in turn, and keeps what it was asked."""

    def __init__(self, *replies):
        self.replies, self.asked = list(replies), []

    async def __call__(self, server, question):
        self.asked.append((server.endpoint.model, question))
        reply = self.replies[len(self.asked) - 1] if len(self.asked) <= len(self.replies) else f"reply {len(self.asked)}"
        return Answer(reply, "stop", 1, 1) if isinstance(reply, str) else reply


def made(config, ask):
    return asyncio.run(Dialogues(distill_settings(config), ask)(PROMPT))


def settings(**others):
    return {"method": "Dialogues", "turns": 3, "teachers": [TEACHER], "user": USER, **others}


def texts(row):
    return [(message["role"][0], message["content"]) for message in row["messages"]]


def test_turns_follow_each_other(distilling, tmp_path):
    ask = Scripted()
    (row,) = made(distilling(tmp_path, **settings()), ask)
    assert [model for model, _ in ask.asked] == ["teacher", "user", "teacher", "user", "teacher"]
    assert texts(row) == [("u", "fjords"), *(("au"[number % 2], f"reply {number + 1}") for number in range(5))]
    assert (
        row["provenance"].items()
        >= {
            "finish": ["stop"] * 3,
            "user": {"model": "user", "baseUrl": USER["baseUrl"], "field": "spec.stages[0].distill.user"},
        }.items()
    )


def test_the_teacher_sees_the_dialogue_and_the_user_only_hears_of_it(distilling, tmp_path):
    ask = Scripted()
    made(distilling(tmp_path, **settings(systemPrompt="Answer as an assistant.")), ask)
    for model, question in ask.asked:
        roles = [message["role"] for message in question.messages]
        assert roles == (["user"] if model == "user" else ["system", *["user", "assistant"] * (len(roles) // 2 - 1), "user"])
        assert ("Answer as an assistant." in question.messages[0]["content"]) == (model == "teacher")
        assert question.needs_end == (model == "user"), "half a question cannot be answered"


def test_each_turn_is_a_question_of_its_own(distilling, tmp_path):
    ask = Scripted(*["same"] * 5)
    made(distilling(tmp_path, **settings()), ask)
    assert len({(model, str(question)) for model, question in ask.asked}) == 5
    assert len({question.seed for _, question in ask.asked}) == 5


def test_a_dialogue_about_a_topic_opens_with_a_question_of_the_user(distilling, tmp_path):
    ask = Scripted('Person: "How deep is a fjord?"')
    (row,) = made(distilling(tmp_path, **settings(promptsAre="Topics", turns=1)), ask)
    assert texts(row) == [("u", "How deep is a fjord?"), ("a", "reply 2")]
    assert "fjords" in ask.asked[0][1].messages[0]["content"]
    assert row["provenance"]["template"] == ask.asked[0][1].template != ""


def test_without_a_user_the_teacher_of_the_row_asks_too(distilling, tmp_path):
    ask = Scripted()
    made(distilling(tmp_path, **{**settings(), "user": None}), ask)
    assert {model for model, _ in ask.asked} == {"teacher"}


FAILED = Unanswered("Timeout", "no answer in 600 s")
CUT = Answer("half", "length", 1, 1)
ENDINGS = [
    ("no first answer", {}, [FAILED], LeftOut("Timeout", FAILED.detail, has_failed=True)),
    ("no second question", {}, ["a", FAILED], LeftOut("Timeout", FAILED.detail, has_failed=True)),
    ("an empty question", {}, ["a", 'User: ""'], "no_question"),
    ("a cut last answer", {}, ["a", "b", "c", "d", CUT], LeftOut("cut")),
    ("a cut answer that is kept", {"cutAnswers": "Keep"}, ["a", "b", CUT], ["stop", "length", "stop"]),
]


@pytest.mark.parametrize(("others", "replies", "outcome"), [row[1:] for row in ENDINGS], ids=[row[0] for row in ENDINGS])
def test_a_dialogue_that_lacks_a_turn_is_left_out(others, replies, outcome, distilling, tmp_path):
    found = made(distilling(tmp_path, **settings(**others)), Scripted(*replies))
    if isinstance(outcome, list):
        assert found[0]["provenance"]["finish"] == outcome
    elif isinstance(outcome, str):
        assert (found.reason, found.has_failed) == (outcome, True)
    else:
        assert replace(found, place="") == outcome


def test_the_same_prompt_asks_the_same_again(distilling, tmp_path):
    first, second = Scripted(), Scripted()
    made(distilling(tmp_path, **settings()), first)
    made(distilling(tmp_path, **settings()), second)
    assert first.asked == second.asked
