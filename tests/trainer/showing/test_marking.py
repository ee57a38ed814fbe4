"""Text of tokens with the learned ones marked."""

import pytest
from alignment_trainer.showing.marking import Piece, marked, pieces_of, visible

WORDS = ["<s>", "Why", "?", "Because", ".", "</s>", "\n"]


def decode(ids):
    """As SentencePiece does: words are separated, and the space before the first one is lost."""
    return "".join(word if word in "?.\n" or word.startswith("<") else f" {word}" for word in map(WORDS.__getitem__, ids)).strip(
        " "
    )


@pytest.mark.parametrize(
    ("ids", "learned", "pieces"),
    [
        ([0, 1, 2, 3, 4, 5], "000111", [("<s> Why?", False), (" Because.</s>", True)]),
        ([0, 1, 2, 3, 4, 5, 6], "0001110", [("<s> Why?", False), (" Because.</s>", True), ("\n", False)]),
        ([1, 3, 1, 3], "0101", [("Why", False), (" Because", True), (" Why", False), (" Because", True)]),
        ([3, 4], "11", [("Because.", True)]),
        ([3, 4], "00", [("Because.", False)]),
        ([], "", []),
    ],
)
def test_a_text_is_cut_where_learning_begins_and_ends(ids, learned, pieces):
    assert pieces_of(ids, [mark == "1" for mark in learned], decode) == pieces


@pytest.mark.parametrize(
    ("pieces", "plain", "coloured"),
    [
        ([("Why? ", False), ("Because.", True)], "Why? ⟦Because.⟧", "Why? \x1b[32mBecause.\x1b[0m"),
        ([("a\n\nb</s>", True), ("\n", False)], "⟦a\n\nb</s>⟧⏎", "\x1b[32ma\x1b[0m\n\n\x1b[32mb</s>\x1b[0m⏎"),
        ([("b</s>\n", True)], "⟦b</s>⏎⟧", "\x1b[32mb</s>⏎\x1b[0m"),
        # A row cannot change the terminal.
        ([("\x1b[2J\r", True)], "⟦\\x1b[2J\\r⟧", "\x1b[32m\\x1b[2J\\r\x1b[0m"),
        ([], "", ""),
    ],
)
def test_learned_text_is_in_brackets_or_in_colour(pieces, plain, coloured):
    assert marked([Piece(*piece) for piece in pieces], in_colour=False) == plain
    assert marked([Piece(*piece) for piece in pieces], in_colour=True) == coloured


def test_signs_that_no_terminal_should_obey_are_written_out():
    assert visible("a\tb\nc\x07\u202e é 問") == "a\tb\nc\\x07\\u202e é 問"
