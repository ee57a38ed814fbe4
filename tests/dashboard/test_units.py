"""Numbers, times and untrusted text as the pages write them."""

from datetime import UTC, datetime, timedelta
from string import punctuation

import pytest
from alignment_dashboard.text import plain, shorten
from alignment_dashboard.units import write_age, write_number, write_value


@pytest.mark.parametrize(("seconds", "written"), [(5, "5s ago"), (119, "1m ago"), (4_359, "1h12m ago")])
def test_ages(seconds: int, written: str) -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert write_age(now - timedelta(seconds=seconds), now) == written


@pytest.mark.parametrize(
    ("value", "written"), [(None, "–"), (0.412345, "0.4123"), (5e-7, "5e-7"), (2.5e12, "2.5e12"), (float("nan"), "NaN")]
)
def test_numbers(value: float | None, written: str) -> None:
    assert write_number(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (5e-7, "5e-7"),
        (2.0e-05, "2e-5"),
        (0.123456789, "0.123456789"),
        (1.0, "1"),
        (131_072, "131072"),
        (True, "true"),
        ("a", "a"),
    ],
)
def test_values_of_a_configuration_are_written_in_full(value: str | float, written: str) -> None:
    assert write_value(value) == written


@pytest.mark.parametrize(
    "text", ["**bold**", "<b>", "[a](http://b)", ":red[x]", ":smile:", "$x$", "`code`", "# title", "a_b_c", "é · →"]
)
def test_all_punctuation_of_untrusted_text_is_escaped(text: str) -> None:
    escaped = plain(text)
    assert escaped.replace("\\", "") == text
    marks = [index for index, letter in enumerate(escaped) if letter in punctuation.replace("\\", "")]
    assert all(escaped[index - 1] == "\\" for index in marks)
    assert escaped.count("\\") == len(marks)


@pytest.mark.parametrize(("text", "cut"), [("", ""), ("12345", "12345"), ("123456", "1234…")])
def test_long_texts_are_cut(text: str, cut: str) -> None:
    assert shorten(text, 5) == cut
