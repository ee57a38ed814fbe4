"""Rows for DPO in the shapes of public datasets, with texts of our own, and how each is read."""

from typing import Any, NamedTuple

from alignment_trainer.forms.examples import Pair
from alignment_trainer.forms.rows import read_pair
from messages import assistant, system, turn, user


class PairRow(NamedTuple):
    """A row, how it is read, and the columns that are not read."""

    form: str
    row: dict[str, Any]
    pair: Pair
    unread: tuple[str, ...] = ()


def pair_of(row):
    return read_pair(row).example


ASK, KIND = user("Why?"), system("Be kind.")
GOOD, BAD = assistant("Because."), assistant("Go away.")
MORE = [ASK, assistant("It rained."), user("And then?")]
PAIR = Pair([ASK], [GOOD], [BAD])
KIND_PAIR = Pair([KIND, ASK], [GOOD], [BAD])
LONG_PAIR = Pair(MORE, [GOOD], [BAD])
TOOL = {"type": "function", "function": {"name": "ask", "parameters": {}}}
CALL = {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": "ask", "arguments": {}}}]}
TEXTS = {"chosen": "Because.", "rejected": "Go away."}
SCORES = {"score_chosen": 2.0, "score_rejected": 8.0}

ROWS = {
    "TRL, texts": PairRow(
        "prompt and two answers", {"prompt": "Why?", "chosen": " Because.", "rejected": " No."}, Pair("Why?", " Because.", " No.")
    ),
    "TRL, messages": PairRow("prompt and two answers", {"prompt": [ASK], "chosen": [GOOD], "rejected": [BAD]}, PAIR),
    "TRL, a text and messages": PairRow("prompt and two answers", {"prompt": "Why?", "chosen": [GOOD], "rejected": [BAD]}, PAIR),
    "TRL, messages and texts": PairRow("prompt and two answers", {"prompt": [ASK], **TEXTS}, PAIR),
    "TRL, with a margin": PairRow(
        "prompt and two answers", {"prompt": [ASK], "chosen": [GOOD], "rejected": [BAD], "margin": 2.0}, PAIR, ("margin",)
    ),
    "TRL, single messages": PairRow("prompt and two answers", {"prompt": [ASK], "chosen": GOOD, "rejected": BAD}, PAIR),
    "TRL, texts without a prompt": PairRow(
        "whole dialogues or texts",
        {"chosen": "Q: Why?\nA: Because.", "rejected": "Q: Why?\nA: Be off!"},
        Pair("Q: Why?\nA:", " Because.", " Be off!"),
    ),
    "TRL, messages without a prompt": PairRow(
        "whole dialogues or texts", {"chosen": [*MORE, GOOD], "rejected": [*MORE, BAD]}, LONG_PAIR
    ),
    "answers that repeat the text": PairRow(
        "prompt and two answers",
        {"prompt": "Why?", "chosen": "Why? Because.", "rejected": "Why? No."},
        Pair("Why?", " Because.", " No."),
    ),
    "answers that repeat the messages": PairRow(
        "prompt and two answers", {"prompt": MORE, "chosen": [*MORE, GOOD], "rejected": [*MORE, BAD]}, LONG_PAIR
    ),
    "answers that repeat all but the system message": PairRow(
        "prompt and two answers", {"prompt": [KIND, ASK], "chosen": [ASK, GOOD], "rejected": [ASK, BAD]}, KIND_PAIR
    ),
    "ultrafeedback_binarized": PairRow(
        "prompt and two answers",
        {"prompt": "Why?", "prompt_id": "f0e1", "chosen": [ASK, GOOD], "rejected": [ASK, BAD], "messages": [ASK, GOOD], **SCORES},
        PAIR,
        ("prompt_id", "score_chosen", "score_rejected"),
    ),
    "ultrafeedback-binarized-preferences-cleaned": PairRow(
        "prompt and two answers",
        {
            "source": "evol_instruct",
            "prompt": "Why?",
            "chosen": [ASK, GOOD],
            "chosen-rating": 4.0,
            "chosen-model": "a",
            "rejected": [ASK, BAD],
            "rejected-rating": 5.0,
            "rejected-model": "b",
        },
        PAIR,
        ("chosen-model", "chosen-rating", "rejected-model", "rejected-rating", "source"),
    ),
    "ultrafeedback-binarized-preferences": PairRow(
        "two responses",
        {"source": "flan", "instruction": "Why?", "chosen_response": "Because.", "rejected_response": "Go away."},
        PAIR,
        ("source",),
    ),
    "dpo-mix-7k": PairRow(
        "whole dialogues or texts",
        {"dataset": "argilla/mix", "chosen": [ASK, GOOD], "rejected": [ASK, BAD], "chosen_rating": 5.0, "rejected_rating": 5.0},
        PAIR,
        ("chosen_rating", "dataset", "rejected_rating"),
    ),
    "distilabel-capybara-dpo": PairRow(
        "prompt and two answers",
        {
            "source": "Dove",
            "conversation": [{"input": "Why?", "output": "It rained."}, {"input": "And then?", "output": None}],
            "prompt": "And then?",
            "chosen": [*MORE, GOOD],
            "rejected": [*MORE, BAD],
            "rating_chosen": 5,
            "rating_rejected": 4,
        },
        LONG_PAIR,
        ("conversation", "rating_chosen", "rating_rejected", "source"),
    ),
    "truthy-dpo": PairRow(
        "prompt and two answers",
        {"id": "1", "source": "s", "system": "Be kind.", "prompt": "Why?", **TEXTS},
        KIND_PAIR,
        ("id", "source"),
    ),
    "truthy-dpo without a system message": PairRow(
        "prompt and two answers", {"id": "1", "source": "s", "system": "", "prompt": "Why?", **TEXTS}, PAIR, ("id", "source")
    ),
    "LLaMA-Factory, ShareGPT": PairRow(
        "ShareGPT with two answers",
        {"conversations": [turn("human", "Why?")], "chosen": turn("gpt", "Because."), "rejected": turn("gpt", "Go away.")},
        PAIR,
    ),
    "LLaMA-Factory, ShareGPT with a system column": PairRow(
        "ShareGPT with two answers",
        {
            "system": "Be kind.",
            "conversations": [turn("human", "Why?")],
            "chosen": turn("gpt", "Because."),
            "rejected": turn("gpt", "Go away."),
        },
        KIND_PAIR,
    ),
    "LLaMA-Factory, ShareGPT with tools": PairRow(
        "ShareGPT with two answers",
        {
            "tools": '[{"name": "ask", "parameters": {}}]',
            "conversations": [turn("human", "Why?")],
            "chosen": turn("function_call", '{"name": "ask", "arguments": {}}'),
            "rejected": turn("gpt", "Go away."),
        },
        Pair([ASK], [CALL], [BAD], [TOOL]),
    ),
    "TRL with tools": PairRow(
        "prompt and two answers",
        {"prompt": [ASK], "chosen": [CALL], "rejected": [BAD], "tools": [TOOL]},
        Pair([ASK], [CALL], [BAD], [TOOL]),
    ),
    "a weight before the answers": PairRow(
        "whole dialogues or texts",
        {"chosen": [*MORE[:1], {**MORE[1], "weight": 0}, MORE[2], GOOD], "rejected": [*MORE, BAD]},
        LONG_PAIR,
    ),
    "LLaMA-Factory, messages": PairRow(
        "messages with two answers", {"messages": [KIND, ASK], "chosen": GOOD, "rejected": BAD}, KIND_PAIR
    ),
    "LLaMA-Factory, Alpaca": PairRow(
        "Alpaca with two answers",
        {"instruction": "Add.", "input": "1, 2", "system": "Be kind.", "history": [["Why?", "It rained."]], **TEXTS},
        Pair([KIND, ASK, assistant("It rained."), user("Add.\n\n1, 2")], [GOOD], [BAD]),
    ),
    "orca_dpo_pairs": PairRow("Orca pairs", {"system": "Be kind.", "question": "Why?", **TEXTS}, KIND_PAIR),
    "orca_dpo_pairs without a system message": PairRow("Orca pairs", {"system": "", "question": "Why?", **TEXTS}, PAIR),
    "distilabel-intel-orca-dpo-pairs": PairRow(
        "distilabel Orca pairs",
        {
            "system": "Be kind.",
            "input": "Why?",
            **TEXTS,
            "generations": ["Because.", "Go away."],
            "rating": [9.0, 9.0],
            "status": "tie",
            "chosen_score": 9.0,
            "in_gsm8k_train": False,
        },
        KIND_PAIR,
        ("chosen_score", "in_gsm8k_train", "rating", "status"),
    ),
    "HH-RLHF": PairRow(
        "HH-RLHF transcripts",
        {
            "chosen": "\n\nHuman: Why?\n\nAssistant: It rained.\n\nHuman: And then?\n\nAssistant: Because.",
            "rejected": "\n\nHuman: Why?\n\nAssistant: It rained.\n\nHuman: And then?\n\nAssistant: Go away.",
        },
        LONG_PAIR,
    ),
    "HH-RLHF with the prompt in its own column": PairRow(
        "prompt and two answers",
        {"prompt": "\n\nHuman: Why?\n\nAssistant:", "chosen": " Because.", "rejected": " Go away."},
        PAIR,
    ),
    "SHP, A is better": PairRow(
        "SHP",
        {
            "post_id": "x",
            "domain": "askculinary",
            "history": "Why?",
            "score_A": 5,
            "score_B": 2,
            "human_ref_A": "Because.",
            "human_ref_B": "Go away.",
            "labels": 1,
            "score_ratio": 2.5,
        },
        PAIR,
        ("domain", "post_id", "score_A", "score_B", "score_ratio"),
    ),
    "SHP, B is better": PairRow(
        "SHP",
        {"history": "Why?", "human_ref_A": "Go away.", "human_ref_B": "Because.", "labels": 0, "score_ratio": 2.5},
        PAIR,
        ("score_ratio",),
    ),
    "PKU-SafeRLHF": PairRow(
        "PKU-SafeRLHF",
        {
            "prompt": "Why?",
            "response_0": "Go away.",
            "response_1": "Because.",
            "is_response_0_safe": True,
            "is_response_1_safe": True,
            "better_response_id": 1,
            "safer_response_id": 0,
        },
        PAIR,
        ("is_response_0_safe", "is_response_1_safe", "safer_response_id"),
    ),
    "stack-exchange-paired": PairRow(
        "paired answers of Stack Exchange",
        {"qid": 3, "question": "Why?", "date": "2012-01-01", "response_j": "Because.", "response_k": "Go away."},
        PAIR,
        ("date", "qid"),
    ),
    "webgpt_comparisons": PairRow(
        "WebGPT comparisons",
        {
            "question": {"dataset": "eli5", "full_text": "Why?"},
            "answer_0": "Go away.",
            "answer_1": "Because.",
            "score_0": -0.5,
            "score_1": 0.5,
        },
        PAIR,
    ),
    "HelpSteer3": PairRow(
        "HelpSteer3",
        {"domain": "general", "context": [ASK], "response1": "Because.", "response2": "Go away.", "overall_preference": -2},
        PAIR,
        ("domain",),
    ),
    "chatbot_arena_conversations": PairRow(
        "Chatbot Arena",
        {
            "question_id": "x",
            "model_a": "m",
            "model_b": "n",
            "winner": "model_b",
            "turn": 2,
            "conversation_a": [*MORE[:2], ASK, BAD],
            "conversation_b": [*MORE[:2], ASK, GOOD],
        },
        Pair([*MORE[:2], ASK], [GOOD], [BAD]),
        ("model_a", "model_b", "question_id", "turn"),
    ),
    "Nectar": PairRow(
        "Nectar",
        {
            "prompt": "\n\nHuman: Why?\n\nAssistant: ",
            "turns": 1,
            "num_responses": 2,
            "source": ["sharegpt"],
            "good_natured": True,
            "answers": [{"answer": "Go away.", "model": "m", "rank": 2.0}, {"answer": "Because.", "model": "n", "rank": 1.0}],
        },
        PAIR,
        ("good_natured", "num_responses", "source", "turns"),
    ),
    "rated generations": PairRow(
        "rated generations", {"instruction": "Why?", "generations": ["Go away.", "Because."], "ratings": [2.0, 4.5]}, PAIR
    ),
}
