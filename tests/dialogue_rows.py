"""Rows for SFT in the shapes of public datasets, and what is learned of each."""

import json
from typing import Any, NamedTuple

from alignment_trainer.forms.examples import Dialogue
from alignment_trainer.forms.rows import read_dialogue
from messages import assistant, system, turn, user


class DialogueRow(NamedTuple):
    """A row, how it is read, and the texts that are learned of it."""

    form: str
    row: dict[str, Any]
    dialogue: Dialogue
    learned: list[str]
    """The answers, each up to its end token, if only the answers of the assistant are learned."""
    unread: tuple[str, ...] = ()


def dialogue_of(row):
    return read_dialogue(row).example


ADD = {
    "name": "add",
    "description": "Adds two numbers.",
    "parameters": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}, "required": ["a", "b"]},
}
TOOLS = [{"type": "function", "function": ADD}]
ARGUMENTS = {"a": 2, "b": 3}
CALL = {"type": "function", "function": {"name": "add", "arguments": ARGUMENTS}}
CALLED = {**assistant(""), "tool_calls": [CALL]}
WRITTEN_CALL = json.dumps({"name": "add", "arguments": ARGUMENTS})
"""A call as the template of the tests writes it."""
SUM = [user("How much is 2 and 3?"), CALLED, {"role": "tool", "content": "5"}, assistant("It is 5.")]

OINK = [user("What does a pig say?"), assistant("Oink.")]
MOO = [user("And a cow?"), assistant("Moo.")]
KIND = system("Be kind.")
OPTIONS = user("What does a pig say?\n\nA. Moo.\nB. Oink.")

ROWS = {
    "OpenAI, fine-tuning": DialogueRow(
        "messages", {"messages": [KIND, *OINK, *MOO]}, Dialogue(None, [KIND, *OINK, *MOO]), ["Oink.", "Moo."]
    ),
    "OpenAI, tools": DialogueRow(
        "messages",
        {
            "messages": [
                user("How much is 2 and 3?"),
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2, "b": 3}'}}
                    ],
                },
                {"role": "tool", "tool_call_id": "call_1", "content": "5"},
                assistant("It is 5."),
            ],
            "parallel_tool_calls": False,
            "tools": TOOLS,
        },
        Dialogue(
            None,
            [
                SUM[0],
                {**assistant(""), "tool_calls": [{**CALL, "id": "call_1"}]},
                {"role": "tool", "content": "5", "tool_call_id": "call_1"},
                SUM[3],
            ],
            TOOLS,
        ),
        [WRITTEN_CALL, "It is 5."],
        ("parallel_tool_calls",),
    ),
    "OpenAI, functions": DialogueRow(
        "messages",
        {
            "messages": [
                user("How much is 2 and 3?"),
                {"role": "assistant", "function_call": {"name": "add", "arguments": '{"a": 2, "b": 3}'}},
                {"role": "function", "name": "add", "content": "5"},
                assistant("It is 5."),
            ],
            "functions": [ADD],
        },
        Dialogue(None, [SUM[0], CALLED, {**SUM[2], "name": "add"}, SUM[3]], TOOLS),
        [WRITTEN_CALL, "It is 5."],
    ),
    "OpenAI, an answer of weight 0": DialogueRow(
        "messages",
        {"messages": [OINK[0], {**OINK[1], "weight": 0}, MOO[0], {**MOO[1], "weight": 1}]},
        Dialogue(None, [*OINK, *MOO], unlearned=frozenset({1})),
        ["Moo."],
    ),
    "OpenAI, developer and parts": DialogueRow(
        "messages",
        {
            "messages": [
                {"role": "developer", "content": "Be kind."},
                user([{"type": "text", "text": "This is a pig."}, {"type": "text", "text": "What does it say?"}]),
                {"role": "assistant", "content": None, "refusal": "I cannot hear it."},
            ]
        },
        Dialogue(None, [KIND, user("This is a pig.\nWhat does it say?"), assistant("I cannot hear it.")]),
        ["I cannot hear it."],
    ),
    "UltraChat of the Hub": DialogueRow(
        "messages",
        {"prompt": "What does a pig say?", "prompt_id": "f2a1", "messages": [*OINK, *MOO]},
        Dialogue(None, [*OINK, *MOO]),
        ["Oink.", "Moo."],
        ("prompt_id",),
    ),
    "Tulu": DialogueRow(
        "messages",
        {"id": "tulu_1", "messages": OINK, "source": "a/b"},
        Dialogue(None, OINK),
        ["Oink."],
        ("id", "source"),
    ),
    "messages of a table, whose objects have each other's keys": DialogueRow(
        "messages",
        {
            "messages": [
                {**user("How much is 2 and 3?"), "tool_calls": None, "tool_call_id": None, "name": None, "weight": None},
                {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": None}], "tool_call_id": None},
                {"role": "tool", "content": "5", "tool_calls": [], "tool_call_id": None},
                {**assistant("It is 5."), "tool_calls": None},
            ],
            "tools": [{"type": "function", "function": {**ADD, "strict": None}}],
            "functions": None,
            "images": [],
        },
        Dialogue(None, SUM, TOOLS),
        [WRITTEN_CALL, "It is 5."],
    ),
    "UltraFeedback, binarized": DialogueRow(
        "messages",
        {
            "prompt": "What does a pig say?",
            "messages": OINK,
            "chosen": OINK,
            "rejected": [OINK[0], assistant("Moo.")],
            "score_chosen": 8.5,
        },
        Dialogue(None, OINK),
        ["Oink."],
        ("rejected", "score_chosen"),
    ),
    "Vicuna": DialogueRow(
        "ShareGPT",
        {
            "id": "identity_0",
            "conversations": [
                turn("human", "What does a pig say?"),
                turn("gpt", "Oink."),
                turn("human", "And a cow?"),
                turn("gpt", "Moo."),
            ],
        },
        Dialogue(None, [*OINK, *MOO]),
        ["Oink.", "Moo."],
        ("id",),
    ),
    "SlimOrca": DialogueRow(
        "ShareGPT",
        {
            "conversations": [
                turn("system", "Be kind.", weight=None),
                turn("human", "What does a pig say?", weight=0),
                turn("gpt", "Oink.", weight=1),
            ]
        },
        Dialogue(None, [KIND, *OINK]),
        ["Oink."],
    ),
    "LLaMA-Factory, tools": DialogueRow(
        "ShareGPT",
        {
            "conversations": [
                turn("human", "How much is 2 and 3?"),
                turn("function_call", WRITTEN_CALL),
                turn("observation", "5"),
                turn("gpt", "It is 5."),
            ],
            "system": "Be kind.",
            "tools": json.dumps([ADD]),
        },
        Dialogue(None, [KIND, *SUM], TOOLS),
        [WRITTEN_CALL, "It is 5."],
    ),
    "LLaMA-Factory, a system turn beside the column": DialogueRow(
        "ShareGPT",
        {
            "conversations": [turn("system", "Be kind."), turn("human", "What does a pig say?"), turn("gpt", "Oink.")],
            "system": "Be.",
        },
        Dialogue(None, [KIND, *OINK]),
        ["Oink."],
    ),
    "LLaMA-Factory, no tools": DialogueRow(
        "ShareGPT",
        {"conversations": [turn("human", "What does a pig say?"), turn("gpt", "Oink.")], "tools": "[]"},
        Dialogue(None, OINK),
        ["Oink."],
    ),
    "LLaMA-Factory, a system turn and an unlearned one": DialogueRow(
        "ShareGPT",
        {
            "conversations": [
                turn("human", "What does a pig say?"),
                turn("gpt", "Moo.", weight=0),
                turn("human", "And a cow?"),
                turn("gpt", "Moo."),
            ],
            "system": "Be kind.",
        },
        Dialogue(None, [KIND, OINK[0], assistant("Moo."), *MOO], unlearned=frozenset({2})),
        ["Moo."],
    ),
    "Hermes, function calling": DialogueRow(
        "ShareGPT",
        {
            "id": "1",
            "conversations": [
                turn("system", "Be kind."),
                turn("human", "How much is 2 and 3?"),
                turn("gpt", "<tool_call>\n{}\n</tool_call>"),
                turn("tool", "5"),
                turn("gpt", "It is 5."),
            ],
            "tools": json.dumps(TOOLS),
            "category": "sums",
        },
        Dialogue(None, [KIND, SUM[0], assistant("<tool_call>\n{}\n</tool_call>"), SUM[2], SUM[3]], TOOLS),
        ["<tool_call>\n{}\n</tool_call>", "It is 5."],
        ("category", "id"),
    ),
    "ShareGPT, each speaker is an assistant": DialogueRow(
        "ShareGPT",
        {
            "conversations": [
                turn("human", "What does a pig say?"),
                turn("chatgpt", "Moo.", weight=0),
                turn("bing", "Moo.", weight=0),
                turn("bard", "Oink.", weight=1),
            ]
        },
        Dialogue(None, [OINK[0], assistant("Moo."), assistant("Moo."), OINK[1]], unlearned=frozenset({1, 2})),
        ["Oink."],
    ),
    "conversations of messages": DialogueRow("ShareGPT", {"conversations": OINK}, Dialogue(None, OINK), ["Oink."]),
    "MMLU": DialogueRow(
        "multiple choice",
        {"question": "What does a pig say?", "subject": "animals", "choices": ["Moo.", "Oink."], "answer": 1},
        Dialogue(None, [OPTIONS, assistant("B. Oink.")]),
        ["B. Oink."],
        ("subject",),
    ),
    "ARC of the Hub": DialogueRow(
        "multiple choice",
        {
            "id": "1",
            "question": "What does a pig say?",
            "choices": {"text": ["Moo.", "Oink."], "label": ["1", "2"]},
            "answerKey": "2",
        },
        Dialogue(None, [OPTIONS, assistant("B. Oink.")]),
        ["B. Oink."],
        ("id",),
    ),
    "ARC of LLM Foundry": DialogueRow(
        "query and choices",
        {"query": "What does a pig say?", "choices": ["Moo.", "Oink."], "gold": 1},
        Dialogue(None, [OPTIONS, assistant("B. Oink.")]),
        ["B. Oink."],
    ),
    "self-instruct, seeds": DialogueRow(
        "self-instruct",
        {
            "id": "seed_task_0",
            "name": "sounds",
            "instruction": "Name the sound.",
            "instances": [{"input": "pig", "output": "Oink."}, {"input": "cow", "output": "Moo."}],
            "is_classification": False,
        },
        Dialogue(None, [user("Name the sound.\n\npig"), OINK[1], user("Name the sound.\n\ncow"), MOO[1]]),
        ["Oink.", "Moo."],
        ("id", "is_classification", "name"),
    ),
    "self-instruct, user instructions": DialogueRow(
        "self-instruct",
        {
            "id": "1",
            "motivation_app": "Farm",
            "instruction": "What does a pig say?",
            "instances": [{"input": "", "output": "Oink."}],
        },
        Dialogue(None, OINK),
        ["Oink."],
        ("id", "motivation_app"),
    ),
    "Alpaca": DialogueRow(
        "Alpaca",
        {"instruction": "Name the sound.", "input": "pig", "output": "Oink.", "text": "Below is an instruction ..."},
        Dialogue(None, [user("Name the sound.\n\npig"), OINK[1]]),
        ["Oink."],
        ("text",),
    ),
    "LLaMA-Factory, Alpaca": DialogueRow(
        "Alpaca",
        {
            "instruction": "And a cow?",
            "input": "",
            "output": "Moo.",
            "system": "Be kind.",
            "history": [["What does a pig say?", "Oink."]],
        },
        Dialogue(None, [KIND, *OINK, *MOO]),
        ["Oink.", "Moo."],
    ),
    "LLaMA-Factory, KTO": DialogueRow(
        "Alpaca",
        {"instruction": "What does a pig say?", "input": None, "output": "Oink.", "history": None, "kto_tag": True},
        Dialogue(None, OINK),
        ["Oink."],
    ),
    "dolly": DialogueRow(
        "dolly",
        {"instruction": "What does it say?", "context": "This is a pig.", "response": "Oink.", "category": "closed_qa"},
        Dialogue(None, [user("What does it say?\n\nThis is a pig."), OINK[1]]),
        ["Oink."],
        ("category",),
    ),
    "dolly, with a system prompt": DialogueRow(
        "dolly",
        {"system_prompt": "Be kind.", "instruction": "What does a pig say?", "response": "Oink."},
        Dialogue(None, [KIND, *OINK]),
        ["Oink."],
    ),
    "OpenOrca": DialogueRow(
        "OpenOrca",
        {"id": "niv.1", "system_prompt": "Be kind.", "question": "What does a pig say?", "response": "Oink."},
        Dialogue(None, [KIND, *OINK]),
        ["Oink."],
        ("id",),
    ),
    "OpenOrca, no system prompt": DialogueRow(
        "OpenOrca",
        {"id": "", "system_prompt": "", "question": "What does a pig say?", "response": "Oink."},
        Dialogue(None, OINK),
        ["Oink."],
    ),
    "GSM8K": DialogueRow(
        "question and answer",
        {"question": "How much is 2 and 3?", "answer": "2 + 3 = <<2+3=5>>5\n#### 5"},
        Dialogue(None, [SUM[0], assistant("2 + 3 = <<2+3=5>>5\n#### 5")]),
        ["2 + 3 = <<2+3=5>>5\n#### 5"],
    ),
    "OASST, a tree": DialogueRow(
        "OASST tree",
        {
            "message_tree_id": "1",
            "tree_state": "ready_for_export",
            "prompt": {
                "message_id": "1",
                "role": "prompter",
                "text": "What does a pig say?",
                "review_result": True,
                "deleted": False,
                "rank": None,
                "replies": [
                    {"role": "assistant", "text": "Baa.", "rank": 0, "deleted": True, "replies": []},
                    {"role": "assistant", "text": "Woof.", "rank": 1, "review_result": False, "replies": []},
                    {"role": "assistant", "text": "Quack.", "rank": None, "replies": []},
                    {"role": "assistant", "text": "Moo.", "rank": 3, "replies": []},
                    {
                        "role": "assistant",
                        "text": "Oink.",
                        "rank": 2,
                        "review_result": None,
                        "replies": [
                            {"role": "prompter", "text": "And a cow?", "replies": [{"role": "assistant", "text": "Moo."}]},
                            {"role": "prompter", "text": "Why?", "replies": []},
                        ],
                    },
                ],
            },
        },
        Dialogue(None, [*OINK, *MOO]),
        ["Oink.", "Moo."],
        ("message_tree_id", "tree_state"),
    ),
    "OASST, a tree that ends with a question": DialogueRow(
        "OASST tree",
        {
            "message_tree_id": "1",
            "prompt": {
                "role": "prompter",
                "text": "What does a pig say?",
                "replies": [
                    {"role": "assistant", "text": "Oink.", "replies": [{"role": "prompter", "text": "And a cow?", "replies": []}]}
                ],
            },
        },
        Dialogue(None, OINK),
        ["Oink."],
        ("message_tree_id",),
    ),
    "TRL, texts": DialogueRow(
        "completion", {"prompt": "A pig says", "completion": " oink."}, Dialogue("A pig says", " oink."), [" oink."]
    ),
    "TRL, messages": DialogueRow(
        "completion",
        {"prompt": [KIND, OINK[0]], "completion": [OINK[1]]},
        Dialogue([KIND, OINK[0]], [OINK[1]]),
        ["Oink."],
    ),
    "TRL, messages with tools": DialogueRow(
        "completion",
        {"prompt": [SUM[0]], "completion": SUM[1:], "tools": TOOLS},
        Dialogue([SUM[0]], SUM[1:], TOOLS),
        [WRITTEN_CALL, "It is 5."],
    ),
    "TRL, a text and messages": DialogueRow(
        "completion",
        {"prompt": "What does a pig say?", "completion": [OINK[1]]},
        Dialogue([OINK[0]], [OINK[1]]),
        ["Oink."],
    ),
    "TRL, messages and a text": DialogueRow(
        "completion", {"prompt": [OINK[0]], "completion": "Oink."}, Dialogue([OINK[0]], [OINK[1]]), ["Oink."]
    ),
    "completion, with system and history": DialogueRow(
        "completion",
        {
            "prompt": "And a cow?",
            "completion": "Moo.",
            "system": "Be kind.",
            "history": [["What does a pig say?", "Oink."]],
            "tools": TOOLS,
        },
        Dialogue([KIND, *OINK, MOO[0]], [MOO[1]], TOOLS),
        ["Moo."],
    ),
    "completion, messages with history": DialogueRow(
        "completion",
        {"prompt": [KIND, MOO[0]], "completion": [MOO[1]], "system": "Be.", "history": [["What does a pig say?", "Oink."]]},
        Dialogue([KIND, *OINK, MOO[0]], [MOO[1]]),
        ["Moo."],
    ),
    "distilabel, KTO": DialogueRow(
        "completion",
        {"prompt": "What does a pig say?", "completion": "Oink.", "label": True, "system": None, "rating": 9.0},
        Dialogue([OINK[0]], [OINK[1]]),
        ["Oink."],
        ("rating",),
    ),
    "Alpaca, tools": DialogueRow(
        "Alpaca",
        {"instruction": "What does a pig say?", "output": "Oink.", "tools": json.dumps(TOOLS)},
        Dialogue(None, OINK, TOOLS),
        ["Oink."],
    ),
    "TRL, KTO": DialogueRow(
        "completion", {"prompt": [OINK[0]], "completion": [OINK[1]], "label": True}, Dialogue([OINK[0]], [OINK[1]]), ["Oink."]
    ),
    "a label with another meaning": DialogueRow(
        "completion",
        {"prompt": "A pig says", "completion": " oink.", "label": "animals"},
        Dialogue("A pig says", " oink."),
        [" oink."],
        ("label",),
    ),
    "UltraChat": DialogueRow(
        "UltraChat",
        {"id": "0", "data": ["What does a pig say?", "Oink.", "And a cow?", "Moo."]},
        Dialogue(None, [*OINK, *MOO]),
        ["Oink.", "Moo."],
        ("id",),
    ),
    "plain text, as columns.text gives it": DialogueRow(
        "completion",
        {"prompt": "", "completion": "A pig says oink."},
        Dialogue("", "A pig says oink."),
        ["A pig says oink."],
    ),
}

TEMPLATE = (
    "{% if tools %}{{ 'Tools: ' + tools | tojson + '\n' }}{% endif %}"
    "{% for message in messages %}{{ '<|' + message.role + '|>\n' }}{% if message.role == 'assistant' %}"
    "{% generation %}{{ message.content }}{% for call in message.tool_calls or [] %}{{ call.function | tojson }}{% endfor %}"
    "{{ eos_token }}{% endgeneration %}{% else %}{{ message.content + eos_token }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
"""A chat template that writes tools and their calls, and marks answers."""
