"""What counts of a text and of a dialogue, in tokens, words and bytes."""

from pathlib import Path
from typing import Any

import pytest
from alignment_trainer.data.tasks.documents import read_document
from alignment_trainer.evaluation.encoded import encode
from alignment_trainer.evaluation.windows import Window, windows
from alignment_trainer.forms.examples import Dialogue
from alignment_trainer.models.tokenizer import load_tokenizer
from alignment_trainer.reading.bad_row import BadRow

TEXT = "Across  the Ödland lives a fox.\n\nIt says: woof – and a bird answers.  "


@pytest.fixture(scope="module")
def tokenizer(workspace: Path) -> Any:
    return load_tokenizer(workspace / "inputs/tiny/model", "Model", needs_answers=False)


@pytest.mark.parametrize("size", [2, 3, 7, 100])
def test_windows_that_overlap_share_out_the_words_and_bytes_of_a_text(tokenizer: Any, size: int) -> None:
    found = encode(TEXT, tokenizer)
    cut = list(windows(len(found.ids), size, max(1, size - 1)))
    first = len(tokenizer.decode(found.ids[:1]))
    assert sum(found.bytes(window) or 0 for window in cut) == len(TEXT[first:].encode())
    assert sum(found.words(window) or 0 for window in cut) == len(TEXT.split()) - 1, "the first token begins the first word"


def test_all_tokens_of_a_text_count_and_its_end_is_not_invented(tokenizer: Any) -> None:
    found = encode(TEXT, tokenizer)
    assert tokenizer.decode(found.ids) == TEXT
    assert all(found.counts)


def test_a_token_that_opens_texts_has_no_bytes(tokenizer: Any) -> None:
    class Opening:
        """A tokenizer that writes a token before each text, and one after it, as those of several families do."""

        is_fast, eos_token, eos_token_id = True, tokenizer.eos_token, tokenizer.eos_token_id

        def __call__(self, text: str, **_: Any) -> dict[str, Any]:
            found = tokenizer(text, return_offsets_mapping=True)
            ids = [tokenizer.bos_token_id, *found["input_ids"], self.eos_token_id]
            return {"input_ids": ids, "offset_mapping": [(0, 0), *found["offset_mapping"], (0, 0)]}

    found = encode(TEXT, Opening())
    assert found.ids[0] == tokenizer.bos_token_id
    assert found.ids[-1] != tokenizer.eos_token_id
    window = Window(0, 1, len(found.ids))
    assert (found.bytes(window), found.words(window)) == (len(TEXT.encode()), len(TEXT.split()))


def test_the_answers_of_a_dialogue_count_with_their_ends(tokenizer: Any) -> None:
    said = [("user", "What does a dog say?"), ("assistant", "woof"), ("user", "And a cat?"), ("assistant", "meow")]
    found = encode(Dialogue(None, [{"role": role, "content": content} for role, content in said]), tokenizer)
    counted = [token for token, counts in zip(found.ids, found.counts, strict=True) if counts]
    assert tokenizer.decode(counted) == "woof</s>meow</s>"
    assert found.bytes(Window(0, 1, 3)) is None


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"text": "a b"}, "a b"),
        ({"page": "a b"}, "a b"),
        ({"prompt": "", "completion": "a b"}, "a b"),
        ({"prompt": "a", "completion": "b"}, Dialogue("a", "b")),
    ],
)
def test_a_row_is_a_text_or_a_dialogue(row: dict[str, str], wanted: Any) -> None:
    assert read_document(row) == wanted


@pytest.mark.parametrize(("row", "fault"), [({"text": " "}, "text is empty"), ({"note": "x"}, "has no prompt and no completion")])
def test_any_other_row_is_refused(row: dict[str, str], fault: str) -> None:
    with pytest.raises(BadRow, match=fault):
        read_document(row)
