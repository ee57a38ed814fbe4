import logging

import pytest
from alignment_trainer.data import tokens as tokens_module
from alignment_trainer.data.tokens import IGNORED, dialogue_tokens, pair_tokens
from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.templates.named import NAMED
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer

ASK = {"role": "user", "content": "What colour is a banana?"}
GOOD = {"role": "assistant", "content": "Gladly! A banana is yellow."}
BAD = {"role": "assistant", "content": "Ugh. A banana is yellow."}
SYSTEM = {"role": "system", "content": "Be kind."}

DIALOGUES = {
    "messages": Dialogue(None, [ASK, GOOD]),
    "several turns": Dialogue(None, [SYSTEM, ASK, GOOD, ASK, BAD]),
    "messages after a prompt": Dialogue([ASK], [GOOD]),
    "texts": Dialogue("What colour is a banana?", " A banana is yellow."),
}


# Chat templates of other model families, with the learned part marked.
FAMILIES = {
    "headers": "{{ bos_token }}{% for message in messages %}{{ '[' + message.role + ']\n\n' }}"
    "{% if message.role == 'assistant' %}{% generation %}{{ message.content | trim + eos_token }}{% endgeneration %}"
    "{% else %}{{ message.content | trim + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant]\n\n' }}{% endif %}",
    "instructions": "{{ bos_token }}{% for message in messages %}{% if message.role == 'assistant' %}"
    "{% generation %}{{ ' ' + message.content + eos_token }}{% endgeneration %}"
    "{% else %}{{ '[INST] ' + message.content + ' [/INST]' }}{% endif %}{% endfor %}",
    "a line break after each end": "{% for message in messages %}{{ message.role + ':' }}{% if message.role == 'assistant' %}"
    "{% generation %}{{ message.content + eos_token }}{% endgeneration %}{{ '\n' }}{% else %}{{ message.content + '\n' }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'assistant:' }}{% endif %}",
}


@pytest.fixture(scope="module", params=["Model", *NAMED, *FAMILIES, "Model, and a tokenizer that opens every text"])
def tokenizer(workspace, request):
    loaded = AutoTokenizer.from_pretrained(workspace / "inputs" / "tiny" / "model")
    loaded.chat_template = {**NAMED, **FAMILIES}.get(request.param, loaded.chat_template)
    if request.param.endswith("opens every text"):
        opening = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", loaded.bos_token_id)])
        loaded.backend_tokenizer.post_processor = opening
    return loaded


def runs(labels):
    """Split labels into sequences of learned tokens."""
    found, current = [], []
    for label in [*labels, IGNORED]:
        if label != IGNORED:
            current.append(label)
        elif current:
            found.append(current)
            current = []
    return found


@pytest.mark.parametrize("dialogue", DIALOGUES.values(), ids=DIALOGUES)
def test_each_answer_is_learned_up_to_its_end(tokenizer, dialogue):
    tokens, cut = dialogue_tokens(dialogue, tokenizer, assistant_only=True, max_length=256)
    answers = runs(tokens["labels"])
    assert cut is None
    assert len(answers) == (2 if len(dialogue.answer) == 5 else 1)
    for answer in answers:
        assert answer[-1] == tokenizer.eos_token_id
        assert "banana" in tokenizer.decode(answer)
        assert "colour" not in tokenizer.decode(answer)


@pytest.mark.parametrize("dialogue", DIALOGUES.values(), ids=DIALOGUES)
def test_a_text_has_one_opening_token(tokenizer, dialogue):
    tokens, _ = dialogue_tokens(dialogue, tokenizer, assistant_only=False, max_length=256)
    assert tokens["input_ids"].count(tokenizer.bos_token_id) <= 1
    assert tokens["labels"] == tokens["input_ids"]


@pytest.mark.parametrize(
    "pair",
    [Pair([ASK], [GOOD], [BAD]), Pair([SYSTEM, ASK, GOOD, ASK], [GOOD], [BAD]), Pair("Why?", " A banana.", " Go.")],
    ids=["dialogue", "later turn", "texts"],
)
def test_pairs_share_their_prompt_and_end(tokenizer, pair):
    tokens, cut = pair_tokens(pair, tokenizer, max_length=256)
    assert cut is None
    for answer in ("chosen_ids", "rejected_ids"):
        assert tokenizer.eos_token_id in tokens[answer]
        assert tokenizer.bos_token_id not in tokens[answer]
    assert tokens["chosen_ids"] != tokens["rejected_ids"]


def test_turns_that_do_not_fit_are_cut_after_a_complete_answer(tokenizer):
    whole, _ = dialogue_tokens(DIALOGUES["several turns"], tokenizer, True, 256)
    first, _ = dialogue_tokens(Dialogue(None, [SYSTEM, ASK, GOOD]), tokenizer, True, 256)
    shorter, cut = dialogue_tokens(DIALOGUES["several turns"], tokenizer, True, len(whole["input_ids"]) - 4)
    assert cut == "cut"
    assert runs(shorter["labels"]) == runs(first["labels"])
    assert shorter["input_ids"] == whole["input_ids"][: len(shorter["input_ids"])]
    assert shorter["labels"][-1] == tokenizer.eos_token_id


LONG_ASK = {"role": "user", "content": "What colour is a banana, a plum or a lime? " * 3}


@pytest.mark.parametrize(
    "dialogue",
    [
        Dialogue(None, [LONG_ASK, GOOD]),
        Dialogue(None, [LONG_ASK, GOOD, ASK, GOOD]),
        Dialogue([LONG_ASK], [GOOD]),
        Dialogue(LONG_ASK["content"], " A banana is yellow."),
    ],
    ids=["messages", "several turns", "messages after a prompt", "texts"],
)
def test_the_start_of_a_prompt_is_cut_before_the_end_of_an_answer(tokenizer, dialogue):
    whole, _ = dialogue_tokens(dialogue, tokenizer, True, 256)
    answer, *_ = runs(whole["labels"])
    start = whole["labels"].index(answer[0])
    room = len(answer) + start // 2
    tokens, cut = dialogue_tokens(dialogue, tokenizer, True, room)
    opening = whole["input_ids"][:1] if whole["input_ids"][0] == tokenizer.bos_token_id else []
    assert cut == "cut"
    assert runs(tokens["labels"]) == [answer]
    assert len(tokens["input_ids"]) == len(tokens["labels"]) == room
    assert tokens["input_ids"] == opening + whole["input_ids"][start + len(answer) - room + len(opening) : start + len(answer)]


UNMARKED = {"ask and answer": "{% for message in messages %}{{ message.role + ': ' + message.content + eos_token }}{% endfor %}"}


@pytest.fixture(scope="module", params=[*NAMED, *FAMILIES, *UNMARKED])
def any_tokenizer(workspace, request):
    loaded = AutoTokenizer.from_pretrained(workspace / "inputs" / "tiny" / "model")
    loaded.chat_template = {**NAMED, **FAMILIES, **UNMARKED}[request.param]
    return loaded


@pytest.mark.parametrize("kept", [1, 37, 63])
def test_a_dialogue_of_many_turns_is_encoded_a_few_times(any_tokenizer, kept, monkeypatch):
    expected, _ = dialogue_tokens(Dialogue(None, [ASK, GOOD] * kept), any_tokenizer, False, 100_000)
    whole, _ = dialogue_tokens(Dialogue(None, [ASK, GOOD] * 64), any_tokenizer, False, 100_000)
    encoded = []
    ids_of = tokens_module._text_ids
    monkeypatch.setattr(tokens_module, "_text_ids", lambda *given: encoded.append(ids_of(*given)) or encoded[-1])
    length = len(expected["input_ids"])
    assert dialogue_tokens(Dialogue(None, [ASK, GOOD] * 64), any_tokenizer, False, length) == (expected, "cut")
    assert sum(map(len, encoded)) <= 8 * len(whole["input_ids"])


@pytest.mark.parametrize("lost", [4, 1])
def test_without_assistant_only_loss_turns_that_do_not_fit_are_cut_too(any_tokenizer, lost):
    long = Dialogue(None, [SYSTEM, ASK, GOOD, ASK, BAD, ASK])
    first, _ = dialogue_tokens(Dialogue(None, [SYSTEM, ASK, GOOD]), any_tokenizer, False, 256)
    second, _ = dialogue_tokens(Dialogue(None, [SYSTEM, ASK, GOOD, ASK, BAD]), any_tokenizer, False, 256)
    for whole, shorter in ((long, second), (DIALOGUES["several turns"], first)):
        length = len(dialogue_tokens(whole, any_tokenizer, False, 256)[0]["input_ids"])
        assert dialogue_tokens(whole, any_tokenizer, False, length) == (
            dialogue_tokens(whole, any_tokenizer, False, 256)[0],
            None,
        )
        assert dialogue_tokens(whole, any_tokenizer, False, length - lost) == (shorter, "cut")


@pytest.mark.parametrize(
    "dialogue",
    [Dialogue(None, [LONG_ASK, GOOD, ASK, GOOD]), Dialogue([LONG_ASK], [GOOD]), Dialogue(LONG_ASK["content"], " A banana.")],
    ids=["several turns", "messages after a prompt", "texts"],
)
def test_without_assistant_only_loss_the_start_of_a_prompt_is_cut_first_too(any_tokenizer, dialogue):
    messages = dialogue.answer[:2] if dialogue.prompt is None else dialogue.answer
    whole, _ = dialogue_tokens(dialogue._replace(answer=messages), any_tokenizer, False, 256)
    tokens, cut = dialogue_tokens(dialogue, any_tokenizer, False, len(whole["input_ids"]) - 9)
    assert cut == "cut"
    assert any_tokenizer.eos_token_id in tokens["input_ids"][-2:]
    assert "A banana" in any_tokenizer.decode(tokens["input_ids"])
    assert tokens["labels"] == tokens["input_ids"]


def test_without_assistant_only_loss_an_answer_without_its_end_is_counted_too(any_tokenizer):
    long = {"role": "assistant", "content": "A banana is yellow. " * 40}
    for dialogue in (Dialogue(None, [ASK, long]), Dialogue([ASK], [long]), Dialogue(None, [long, ASK, GOOD])):
        tokens, cut = dialogue_tokens(dialogue, any_tokenizer, False, 32)
        assert (cut, len(tokens["input_ids"])) == ("unended", 32)


def test_an_answer_that_is_too_long_is_cut_and_counted(tokenizer):
    long = {"role": "assistant", "content": "A banana is yellow. " * 40}
    tokens, cut = dialogue_tokens(Dialogue(None, [ASK, long]), tokenizer, True, 32)
    assert cut == "unended"
    assert len(tokens["input_ids"]) == 32
    (answer,) = runs(tokens["labels"])
    assert len(answer) >= 16
    assert tokenizer.decode(answer).lstrip().startswith("A banana is yellow.")


def test_the_start_of_a_pairs_prompt_is_cut_first(tokenizer):
    pair = Pair([SYSTEM, ASK], [GOOD], [BAD])
    whole, _ = pair_tokens(pair, tokenizer, 256)
    prompt, longest = whole["prompt_ids"], max(len(whole["chosen_ids"]), len(whole["rejected_ids"]))
    tokens, cut = pair_tokens(pair, tokenizer, len(prompt) + longest - 3)
    assert cut == "cut"
    assert (tokens["chosen_ids"], tokens["rejected_ids"]) == (whole["chosen_ids"], whole["rejected_ids"])
    assert len(tokens["prompt_ids"]) == len(prompt) - 3
    assert tokens["prompt_ids"][-5:] == prompt[-5:]
    assert (tokens["prompt_ids"][0] == tokenizer.bos_token_id) == (prompt[0] == tokenizer.bos_token_id)


def test_a_prompt_keeps_half_of_the_maximum_length(tokenizer):
    long = [{"role": "assistant", "content": "A banana is yellow. " * 40}]
    tokens, cut = pair_tokens(Pair([ASK] * 9, long, [BAD]), tokenizer, 64)
    assert cut == "unended"
    assert (len(tokens["prompt_ids"]), len(tokens["chosen_ids"])) == (32, 32)
    assert tokens["rejected_ids"] == pair_tokens(Pair([ASK] * 9, long, [BAD]), tokenizer, 4096)[0]["rejected_ids"][:32]


def test_a_row_with_nothing_to_learn_is_dropped(tokenizer):
    assert dialogue_tokens(DIALOGUES["messages"]._replace(unlearned=frozenset({1})), tokenizer, True, 256) == (None, None)


def test_a_dialogue_needs_a_template(tokenizer):
    bare = AutoTokenizer.from_pretrained(tokenizer.name_or_path)
    bare.chat_template = None
    with pytest.raises(BadRow, match=r"set spec.model.chatTemplate to Zephyr or ChatML"):
        pair_tokens(Pair([ASK], [GOOD], [BAD]), bare, max_length=256)
    assert pair_tokens(Pair("Why?", " A banana.", " Go."), bare, max_length=256)[0]


@pytest.mark.parametrize("assistant_only", [True, False])
def test_a_row_beyond_the_models_own_limit_prints_no_warning(workspace, assistant_only, caplog):
    loaded = AutoTokenizer.from_pretrained(workspace / "inputs" / "tiny" / "model", model_max_length=4)
    logger = logging.getLogger("transformers")
    logger.addHandler(caplog.handler)
    for dialogue in DIALOGUES.values():
        dialogue_tokens(dialogue, loaded, assistant_only, 16)
    pair_tokens(Pair([ASK], [GOOD], [BAD]), loaded, 16)
    logger.removeHandler(caplog.handler)
    assert caplog.messages == []
