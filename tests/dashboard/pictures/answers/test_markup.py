"""Prompts and answers as HTML: every text is literal, and each theme can be read."""

import re
from html.parser import HTMLParser

import pytest
from alignment_dashboard.facts.word_difference import Piece, difference
from alignment_dashboard.pictures.answers.markup import (
    DARK,
    FOLDED_LENGTH,
    FOLDED_PROMPT,
    LIGHT,
    Answer,
    Tones,
    draw_answers,
    draw_prompt,
    fold,
)

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' style='position:fixed",
    "[a](javascript:alert(1)) **b** `c`",
    "$x^2$ \\(y\\)",
    ":smile: :material/home:",
    "http://example.com www.example.com a@example.com",
    "&lt;b&gt; &amp;",
    "-->]]><!--",
    "  two  spaces\n\n\ttab \n",
    "</ins></div></section>",
)
BACKGROUNDS = {"light": ("#ffffff", LIGHT), "dark": ("#0e1117", DARK)}


class Reader(HTMLParser):
    """Reads the tags and the text that a browser would show."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def draw(text: str, whole: bool = False) -> Reader:
    return Reader(draw_prompt(text, LIGHT, whole))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_is_shown_as_it_is(text: str) -> None:
    assert draw(text).text == text
    assert draw(text).tags == ["div", "div"]


@pytest.mark.parametrize("text", HOSTILE)
def test_marks_and_headings_add_no_element(text: str) -> None:
    pieces = (Piece("removed", text), Piece("added", text), Piece("same", text))
    read = Reader(draw_answers([[Answer(text, text, pieces)]], DARK, whole=False))
    assert set(read.tags) == {"div", "section", "h3", "p", "ins", "del", "span"}
    assert read.names == {"style", "dir", "aria-hidden"}
    assert read.text == f"{text}{text}−\u2060{text}+\u2060{text}{text}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\u202eevil\u202c", r"\u202eevil\u202c"),
        ("\x1b[31m\x07\x00", r"\x1b[31m\x07\x00"),
        ("a\r\nb\rc", "a\nb\\rc"),
        ("\u200b\ufeff\u2066", r"\u200b\ufeff\u2066"),
        ("half \ud83d", r"half \ud83d"),
        ("👩‍🚀 naïve 天空", "👩‍🚀 naïve 天空"),
        ("", "(empty)"),
    ],
)
def test_hidden_characters_are_visible(text: str, shown: str) -> None:
    assert draw(text).text == shown


def test_hidden_characters_at_the_end_of_a_mark_are_visible() -> None:
    drawn = Reader(draw_answers([[Answer("", "", (Piece("added", "a\x1f\n"),))]], LIGHT, whole=False))
    assert drawn.text == "+\u2060a\\x1f\n"


def test_long_texts_fold() -> None:
    text = "x" * 100_000
    answer = Answer("", "", (Piece("same", text),))
    assert draw(text).text == f"{text[:FOLDED_PROMPT]}… 99,400 more characters: switch on Whole texts."
    assert Reader(draw_answers([[answer]], DARK, False)).text == (
        f"{text[:FOLDED_LENGTH]}… 97,000 more characters: switch on Whole texts."
    )
    assert draw(text, whole=True).text == Reader(draw_answers([[answer]], DARK, True)).text == text


def test_a_fold_keeps_the_marks_before_it() -> None:
    pieces = (Piece("same", "aaa"), Piece("added", "bbb"), Piece("same", "c"))
    assert fold(pieces, 3) == (pieces[:1], 4)
    assert fold(pieces, 5) == ((pieces[0], Piece("added", "bb")), 2)
    assert fold(pieces, 7) == (pieces, 0)


def test_an_added_word_has_more_than_a_colour() -> None:
    drawn = draw_answers([[Answer("dpo", "", difference("a cat sat there", "a dog sat there"))]], LIGHT, whole=False)
    removed, added = re.findall(r"<(?:ins|del) style=\"[^\"]*text-decoration:([a-z-]+);.*?>([+−])</span>", drawn)
    assert (removed, added) == (("line-through", "−"), ("underline", "+"))


def test_an_output_without_an_answer_has_only_its_note() -> None:
    assert Reader(draw_answers([[Answer("sft", "no answer", None)]], LIGHT, whole=False)).text == "sftno answer"


@pytest.mark.parametrize(("background", "tones"), BACKGROUNDS.values(), ids=BACKGROUNDS)
def test_every_text_can_be_read_on_its_background(background: str, tones: Tones) -> None:
    pairs = [(tones.text, background), (tones.quiet, background), tones.added, tones.removed]
    assert [pair for pair in pairs if contrast(*pair) < 4.5] == []


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG defines it."""
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
