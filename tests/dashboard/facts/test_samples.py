"""Samples as they are aligned, filtered and counted."""

from typing import Any

import pytest
from alignment_dashboard.facts.samples import Length, Output, Sample, Wanted, align, choose, lengths, rows_at, steps_of


def row(prompt: str, policy: str | None = None, key: str | None = None, step: int = 0, **data: Any) -> dict[str, Any]:
    """Return a row as the trainer writes it; older ones have no key."""
    return {"step": step, "prompt": prompt, "policy": policy, **({"key": key} if key else {}), **data}


def output(name: str, *rows: dict[str, Any], step: int = 0) -> Output:
    return Output(name, step, rows, "uid", "model")


def answers(*outputs: Output) -> dict[str, tuple[str | None, ...]]:
    return {sample.prompt: sample.answers for sample in align(outputs)}


def test_rows_without_steps_are_of_no_step() -> None:
    rows = [row("p", step=100), row("p", step=0), row("q", step=100), {"prompt": "r"}, {"step": "x"}]
    assert steps_of(rows) == [0, 100]
    assert rows_at(rows, 100) == [rows[0], rows[2]]


@pytest.mark.parametrize(
    ("outputs", "aligned"),
    [
        ([], {}),
        ([output("base")], {}),
        ([output("base", row("p", "1", "k")), output("sft", row("p", "2", "k"))], {"p": ("1", "2")}),
        # Each stage has its own prompts.
        ([output("base", row("p", "1", "k")), output("sft", row("q", "2", "l"))], {"p": ("1", None), "q": (None, "2")}),
        # Older rows have no key: the prompt identifies, also beside rows that have one.
        ([output("base", row("p", "1")), output("sft", row("p", "2"))], {"p": ("1", "2")}),
        ([output("base", row("p", "1")), output("sft", row("p", "2", "k"))], {"p": ("1", "2")}),
        # The same data, whose prompt another chat template wrote differently.
        ([output("a", row("p", "1", "k")), output("b", row("[p]", "2", "k"))], {"p": ("1", "2")}),
        # Broken rows.
        ([output("base", row("p", None, "k"), {"policy": 3}, row("q", "", "l"))], {"p": (None,), "": (None,), "q": ("",)}),
        ([output("base", row("\ud800", "1"))], {"\ud800": ("1",)}),
    ],
)
def test_answers_to_the_same_prompt_stand_side_by_side(outputs: list[Output], aligned: dict[str, tuple[str | None, ...]]) -> None:
    assert answers(*outputs) == aligned


def test_the_datas_answers_come_from_any_output_that_has_them() -> None:
    sft = output("sft", row("p", "1", "k", reference="r", chosen=None))
    dpo = output("dpo", row("p", "2", "k", chosen="c", rejected="j", reference="other"))
    assert align([sft, dpo])[0].data == {"reference": "r", "chosen": "c", "rejected": "j"}


@pytest.mark.parametrize(
    ("given", "is_changed", "changed", "words"),
    [
        ((), False, None, None),
        ((None, "one two"), False, None, 2),
        (("one two", "one two"), False, 0.0, 2),
        (("one two", None, "one three four"), True, 0.6, 3),
        (("x", ""), True, 1.0, 0),
        (("same", "other", "same"), True, 0.0, 1),
    ],
)
def test_what_the_list_says(given: tuple[str | None, ...], is_changed: bool, changed: float | None, words: int | None) -> None:
    sample = Sample("k", "p", given, {})
    assert (sample.is_changed, sample.changed, sample.words) == (is_changed, changed, words)


SAMPLES = [
    Sample("a", "The Sky", ("x", "x"), {"chosen": "because"}),
    Sample("b", "git", ("x", "one two three"), {}),
    Sample("c", "empty", (None, None), {}),
]


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        (Wanted(), "abc"),
        (Wanted(only_changed=True), "b"),
        (Wanted(shortest=2), "b"),
        (Wanted(longest=1), "ac"),
        (Wanted(shortest=1, longest=1), "a"),
        (Wanted(text="sky"), "a"),
        (Wanted(text="BECAUSE"), "a"),
        (Wanted(text="two"), "b"),
        (Wanted(text="nowhere"), ""),
        (Wanted(text=".*"), ""),
    ],
)
def test_filters(wanted: Wanted, keys: str) -> None:
    assert "".join(sample.key for sample in choose(SAMPLES, wanted)) == keys


def test_lengths() -> None:
    base = output("base", row("p", "one", "k", chosen="one two"), row("q", "1 2 3", "l"), row("r", "same", "m"))
    dpo = output("dpo", row("p", "one two three", "k"), row("r", "same", "m"), row("s", "new", "n"), step=100)
    outputs = [base, dpo]
    assert lengths(outputs, align(outputs)) == [
        Length("base", 3, 5 / 3),
        Length("dpo, step 100", 3, 5 / 3, changed=1, compared=2),
        Length("chosen", 1, 2),
    ]
