"""Which words differ between two texts."""

from difflib import SequenceMatcher

import pytest
from alignment_dashboard.facts import word_difference
from alignment_dashboard.facts.word_difference import MOST_STEPS, Piece, count_words, difference, share_changed


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
        ("same " * 3_000, "other " * 3_001),
    ],
)
def test_no_text_is_lost(old: str, new: str) -> None:
    pieces = difference(old, new)
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == new
    assert "".join(piece.text for piece in pieces if piece.kind != "added").replace(" ", "") == old.replace(" ", "")
    assert all(piece.text for piece in pieces)


def test_long_texts_are_compared_by_their_lines() -> None:
    old = "".join(f"line {number}\n" for number in range(3_000))
    assert difference(old, old.replace("line 7\n", "new 7\n"))[1:3] == (Piece("removed", "line 7\n"), Piece("added", "new 7\n"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("word " * 3_000, "word " * 2_900 + "end"),
        ("a b " * 1_500, "a " * 3_000),
        ("line\n" * 3_000, "line\n" * 2_900 + "end\n"),
        ("a b\n" * 1_500, "a\n" * 3_000),
        (" ".join(map(str, range(3_000))), " ".join(map(str, range(3_000, 0, -1)))),
    ],
)
def test_long_texts_that_repeat_themselves_take_few_steps(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    def compare(junk: None, before: list[str], after: list[str], autojunk: bool) -> SequenceMatcher[str]:
        pairs = sum(before.count(part) for part in after)
        compared.append(pairs * min(len(before), len(after)))
        return SequenceMatcher(junk, before, after, autojunk)

    monkeypatch.setattr(word_difference, "SequenceMatcher", compare)
    difference.cache_clear()
    assert "".join(piece.text for piece in difference(old, new) if piece.kind != "removed") == new
    assert compared and max(compared) <= MOST_STEPS


def test_where_lines_repeat_too_the_changed_part_is_marked() -> None:
    old = "line\n" * 3_000
    assert difference(old, f"{old}new\n{old}") == (Piece("same", old), Piece("added", f"new\n{old}"))


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
