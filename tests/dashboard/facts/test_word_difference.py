"""Which words differ between two texts."""

import pytest
from alignment_dashboard.facts.word_difference import COMPARED_WORDS, Piece, count_words, difference, share_changed


@pytest.mark.parametrize(
    ("old", "new", "marked"),
    [
        ("", "", ""),
        ("", "new", "{+new+}"),
        ("old", "", "[-old-]"),
        ("the same text", "the same text", "the same text"),
        ("the sky is blue", "the sky was blue", "the sky [-is -]{+was +}blue"),
        ("one two three", "one three", "one [-two -]three"),
        ("one two", "one two three", "one two {+three+}"),
        ("a.  b", "a. b", "a. b"),
        ("one\ntwo", "one two", "[-one\n-]{+one +}two"),
        ("don't go", "do go", "[-don't -]{+do +}go"),
        ("天空是蓝色", "天空是红色", "天空是[-蓝-]{+红+}色"),
        ("old text.", "new text. More.", "[-old -]{+new +}text. {+More.+}"),
        ("end.", "end.\n1. More.", "end[-.-]{+.\n1. More.+}"),
        ("old text.", "new text. More.", "[-old -]{+new +}text. {+More.+}"),
        ("end.", "end.\n1. More.", "end[-.-]{+.\n1. More.+}"),
        # A single common word between two changes is marked with them.
        ("red cat and dog", "blue cat or dog", "[-red cat and -]{+blue cat or +}dog"),
    ],
)
def test_the_new_text_shows_what_changed(old: str, new: str, marked: str) -> None:
    signs = {"same": "{}", "removed": "[-{}-]", "added": "{{+{}+}}"}
    assert "".join(signs[piece.kind].format(piece.text) for piece in difference(old, new)) == marked


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a b c", "b c d"),
        ("<script>", "&lt;script&gt; \u202e"),
        ("word " * 20_000, "word " * 20_000 + "end"),
        ("line\n" * 9_000, "line\n" * 8_000 + "other\n"),
        (" \n\t", "\n"),
        ("same " * COMPARED_WORDS, "other " * (COMPARED_WORDS + 1)),
    ],
)
def test_no_text_is_lost(old: str, new: str) -> None:
    pieces = difference(old, new)
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == new
    assert "".join(piece.text for piece in pieces if piece.kind != "added").replace(" ", "") == old.replace(" ", "")
    assert all(piece.text for piece in pieces)


def test_long_texts_are_compared_by_their_lines() -> None:
    old = "".join(f"line {number}\n" for number in range(COMPARED_WORDS))
    assert difference(old, old.replace("line 7\n", "new 7\n"))[1:3] == (Piece("removed", "line 7\n"), Piece("added", "new 7\n"))


@pytest.mark.parametrize(
    ("old", "new", "share"),
    [("", "", 0), ("a b c d", "a b c d", 0), ("a", "b", 1), ("one two three four", "one two three five", 0.25), ("!", "?", 1)],
)
def test_share_of_words_that_changed(old: str, new: str, share: float) -> None:
    assert share_changed(old, new) == share


@pytest.mark.parametrize(
    ("text", "words"),
    [("", 0), ("one, two!", 2), ("don't", 1), ("3.14 x", 3), ("天空 sky", 3), ("\n\n- a\n- b", 2), ("снег идёт", 2)],
)
def test_words_are_counted_without_punctuation(text: str, words: int) -> None:
    assert count_words(text) == words
