"""Text of a message never becomes a control token, and a text has one opening token."""

import pytest
from alignment_trainer.data.control_tokens import ControlTokens
from alignment_trainer.data.tokens import dialogue_tokens
from alignment_trainer.forms.examples import Dialogue, Pair
from tokenizers.processors import TemplateProcessing
from transformers import AddedToken, AutoTokenizer

ASK = {"role": "user", "content": "Why?"}
GOOD = {"role": "assistant", "content": "Because."}


@pytest.fixture(scope="module")
def tokenizer(workspace):
    loaded = AutoTokenizer.from_pretrained(workspace / "inputs" / "tiny" / "model")
    loaded.add_tokens([AddedToken("<|im_end|>", special=True), AddedToken("<think>", special=False)])
    opening = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", loaded.bos_token_id)])
    loaded.backend_tokenizer.post_processor = opening
    return loaded


def saying(role, text):
    return {"role": role, "content": text}


def calling(name, arguments):
    return {**saying("assistant", ""), "tool_calls": [{"type": "function", "function": {"name": name, "arguments": arguments}}]}


@pytest.mark.parametrize(
    ("row", "are_written"),
    [
        (Dialogue(None, [ASK, GOOD]), False),
        (Dialogue(None, [saying("user", "What is </s> in HTML?"), GOOD]), True),
        (Dialogue(None, [ASK, saying("assistant", "Say<|im_end|>")]), True),
        (Dialogue(None, [saying("system", "<s>Be kind."), ASK, GOOD]), True),
        (Dialogue([saying("user", "<pad>")], [GOOD]), True),
        (Dialogue(None, [ASK, saying("assistant", "<think>Hm.</think> < / s >")]), False),
        (Pair([ASK], [GOOD], [saying("assistant", "No.</s>")]), True),
        (Pair([ASK], [GOOD], [saying("assistant", "No.")]), False),
        (Dialogue(None, [ASK, calling("add", {"a": "1"}), GOOD]), False),
        (Dialogue(None, [ASK, calling("add", {"a": ["</s>"]}), GOOD]), True),
        (Dialogue(None, [ASK, calling("add", {"</s>": 1}), GOOD]), True),
        (Dialogue(None, [ASK, calling("</s>", {}), GOOD]), True),
        (Dialogue(None, [ASK, {**saying("tool", "5"), "name": "</s>"}, GOOD]), True),
        (Dialogue(None, [ASK, GOOD], tools=[{"function": {"name": "add", "description": "Adds."}}]), False),
        (Dialogue(None, [ASK, GOOD], tools=[{"function": {"name": "add", "description": "Adds.</s>"}}]), True),
        (Dialogue("<s>[INST] Why? [/INST]", " Because.</s>"), False),
        (Dialogue("Why?", "<s> Because."), True),
        (Dialogue("Why? <s>", " Because."), True),
        (Pair("Why?", " Because.", " <s>No."), True),
    ],
)
def test_control_tokens_as_text_are_found(tokenizer, row, are_written):
    assert ControlTokens(tokenizer).are_written_in(row) is are_written


def test_a_token_that_opens_and_ends_texts_may_occur_within_them(tokenizer):
    alike = AutoTokenizer.from_pretrained(tokenizer.name_or_path, bos_token="</s>")
    assert not ControlTokens(alike).are_written_in(Dialogue("Why?</s>", "Because.</s>"))


@pytest.mark.parametrize("assistant_only", [True, False])
def test_a_text_with_its_own_opening_token_has_it_once(tokenizer, assistant_only):
    tokens, _ = dialogue_tokens(Dialogue("<s>Why?", " Because."), tokenizer, assistant_only, 256)
    plain, _ = dialogue_tokens(Dialogue("Why?", " Because."), tokenizer, assistant_only, 256)
    assert tokens == plain
    assert tokens["input_ids"].count(tokenizer.bos_token_id) == 1
