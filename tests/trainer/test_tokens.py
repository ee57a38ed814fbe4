import pytest
from alignment_trainer.rows import BadRow, Dialogue, Pair
from alignment_trainer.templates import NAMED
from alignment_trainer.tokens import IGNORED, dialogue_tokens, pair_tokens
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


@pytest.fixture(scope="module", params=["Model", *NAMED])
def tokenizer(workspace, request):
    loaded = AutoTokenizer.from_pretrained(workspace / "inputs" / "tiny" / "model")
    loaded.chat_template = NAMED.get(request.param, loaded.chat_template)
    return loaded


def runs(labels):
    """Split labels into runs of learned tokens."""
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
    tokens, is_cut = dialogue_tokens(dialogue, tokenizer, assistant_only=True, max_length=256)
    answers = runs(tokens["labels"])
    assert not is_cut
    assert len(answers) == (2 if len(dialogue.answer) == 5 else 1)
    for answer in answers:
        assert answer[-1] == tokenizer.eos_token_id
        assert "banana" in tokenizer.decode(answer)
        assert "colour" not in tokenizer.decode(answer)


@pytest.mark.parametrize("dialogue", DIALOGUES.values(), ids=DIALOGUES)
def test_a_text_begins_once(tokenizer, dialogue):
    tokens, _ = dialogue_tokens(dialogue, tokenizer, assistant_only=False, max_length=256)
    assert tokens["input_ids"].count(tokenizer.bos_token_id) <= 1
    assert tokens["labels"] == tokens["input_ids"]


@pytest.mark.parametrize(
    "pair",
    [Pair([ASK], [GOOD], [BAD]), Pair([SYSTEM, ASK, GOOD, ASK], [GOOD], [BAD]), Pair("Why?", " A banana.", " Go.")],
    ids=["dialogue", "later turn", "texts"],
)
def test_pairs_share_their_prompt_and_end(tokenizer, pair):
    tokens, is_cut = pair_tokens(pair, tokenizer, max_length=256)
    assert not is_cut
    for answer in ("chosen_ids", "rejected_ids"):
        assert tokenizer.eos_token_id in tokens[answer]
        assert tokenizer.bos_token_id not in tokens[answer]
    assert tokens["chosen_ids"] != tokens["rejected_ids"]


def test_what_does_not_fit_is_cut_or_dropped_and_said(tokenizer):
    dialogue, pair = DIALOGUES["messages"], Pair([ASK], [GOOD], [BAD])
    whole, _ = dialogue_tokens(dialogue, tokenizer, True, 256)
    prompt = len(pair_tokens(pair, tokenizer, 256)[0]["prompt_ids"])
    shorter, is_cut = dialogue_tokens(dialogue, tokenizer, True, len(whole["input_ids"]) - 3)
    assert is_cut
    assert shorter["input_ids"] == whole["input_ids"][:-3]
    assert dialogue_tokens(dialogue, tokenizer, True, 3) == (None, True)
    assert pair_tokens(pair, tokenizer, prompt) == (None, True)
    assert pair_tokens(pair, tokenizer, prompt + 1)[1]


def test_a_dialogue_needs_a_template(tokenizer):
    bare = AutoTokenizer.from_pretrained(tokenizer.name_or_path)
    bare.chat_template = None
    with pytest.raises(BadRow, match=r"set spec.model.chatTemplate to Zephyr or ChatML"):
        pair_tokens(Pair([ASK], [GOOD], [BAD]), bare, max_length=256)
    assert pair_tokens(Pair("Why?", " A banana.", " Go."), bare, max_length=256)[0]
