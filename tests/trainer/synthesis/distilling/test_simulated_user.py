"""The model that asks in the user's place is never told that it is an assistant, and its message is taken as it is meant."""

import pytest
from alignment_trainer.synthesis.distilling.simulated_user import asked_to_go_on, asked_to_open, message_of

SAID = [
    {"role": "system", "content": "You are an assistant. Answer briefly."},
    {"role": "user", "content": "What is a fjord?"},
    {"role": "assistant", "content": "A bay."},
]


@pytest.mark.parametrize("asked", [asked_to_go_on(SAID), asked_to_open("fjords {of} Norway")])
def test_it_gets_one_message_of_a_user(asked):
    assert [message["role"] for message in asked] == ["user"]


def test_it_reads_what_was_said_and_by_whom():
    told = asked_to_go_on(SAID)[0]["content"]
    assert "Person: What is a fjord?\n\nAssistant: A bay.\n" in told
    assert "fjords {of} Norway" in asked_to_open("fjords {of} Norway")[0]["content"]


MESSAGES = [
    ("Why?", "Why?"),
    (" Why?\n", "Why?"),
    ("Person: Why?", "Why?"),
    ("User: Why?", "Why?"),
    ('"Why?"', "Why?"),
    ("“Why?”", "Why?"),
    ('Person: "Why?"', "Why?"),
    ('"Why?" or "how?"', '"Why?" or "how?"'),
    ("Person: ", ""),
    ('""', ""),
    ("", ""),
]


@pytest.mark.parametrize(("reply", "message"), MESSAGES)
def test_its_message_is_without_label_and_quotes(reply, message):
    assert message_of(reply) == message
