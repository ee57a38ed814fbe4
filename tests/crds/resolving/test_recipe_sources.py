"""Every value of a recipe matches the source beside it, and no value with a source is called ours."""

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from alignment_api.document import leaf_comments, parse_document, read_document
from alignment_api.resolving.recipes import recipe_names, recipe_text

TABLE = read_document(Path(__file__).with_name("recipe_sources.yaml"))
MARK = re.compile(r"(?P<ours>ours(, unlike (the )?(?P<unlike>[^:]+))?)?(?P<source>[^:]*): .+")

Said = dict[tuple[str, str], Any]
"""The value of each field in each source."""


class Value(NamedTuple):
    """One value of a recipe, and the comment beside it."""

    field: str
    value: Any
    comment: str


def values(name: str) -> list[Value]:
    """List a recipe's values but the names of its stages: a stage goes by its name, an item of another list by its number."""
    recipe, comments = parse_document(recipe_text(name), name), leaf_comments(recipe_text(name))
    found = []
    for path, comment in comments.items():
        parts = path.replace("[", ".").replace("]", "").split(".")
        value: Any = recipe
        for part in parts:
            value = value[int(part)] if isinstance(value, list) else value[part]
        if parts[0] == "stages":
            parts[1] = recipe["stages"][int(parts[1])]["name"]
        if parts[2:] != ["name"]:
            found.append(Value(".".join(parts), value, comment))
    return found


def said_about(name: str) -> Said:
    """Return the values that the sources state for the fields of a recipe."""
    return {(source, field): value for source, rows in TABLE[name].items() for field, value, _ in rows}


def faults(found: list[Value], said: Said) -> list[str]:
    """Name what a recipe and its sources disagree in."""
    sources = {source for source, _ in said}
    wrong, cited = [], set()
    for field, value, comment in found:
        mark = MARK.fullmatch(comment)
        source = mark and (mark["unlike"] or mark["source"])
        if not mark or (source and source not in sources):
            wrong.append(f"{field}: {comment!r} names none of {', '.join(sorted(sources))}, nor ours")
        elif not source:
            wrong += [f"{field}: is ours, and {other} gives it" for other in sorted(sources) if (other, field) in said]
        elif (source, field) not in said:
            wrong.append(f"{field}: {source} does not give it")
        elif (said[source, field] == value) == bool(mark["unlike"]):
            wrong.append(f"{field}: is {value}, and {source} says {said[source, field]}")
        cited.add((source, field))
    return wrong + [
        f"{field}: {source} gives it, and the recipe does not cite it" for source, field in said if (source, field) not in cited
    ]


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_what_its_sources_say(name: str) -> None:
    assert faults(values(name), said_about(name)) == []


def test_every_row_names_its_place_in_the_source() -> None:
    rows = [row for sources in TABLE.values() for source in sources.values() for row in source]
    assert all(len(row) == 3 and isinstance(row[2], str) and ": " in row[2] for row in rows)
    fields = [(name, row[0]) for name, sources in TABLE.items() for source in sources.values() for row in source]
    assert len(fields) == len(set(fields))
    assert sorted(TABLE) == recipe_names()


SAID: Said = {("tutor", "beta"): 0.1, ("tutor", "splits"): ["train", "test"]}
GOOD = [Value("beta", 0.1, "tutor: 0.1"), Value("splits", "train", "ours, unlike the tutor: it trains on its test")]


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        ([*GOOD, Value("rank", 8, "ours: small")], None),
        ([*GOOD, Value("rank", 8, "tutor: 8")], "rank: tutor does not give it"),
        ([*GOOD, Value("rank", 8, "small")], "rank: 'small' names none of tutor, nor ours"),
        ([*GOOD, Value("rank", 8, "")], "rank: '' names none of tutor, nor ours"),
        ([*GOOD, Value("rank", 8, "paper: 8")], "rank: 'paper: 8' names none of tutor, nor ours"),
        ([Value("beta", 0.2, "tutor: 0.1"), GOOD[1]], "beta: is 0.2, and tutor says 0.1"),
        ([Value("beta", 0.1, "ours: the usual"), GOOD[1]], "beta: is ours, and tutor gives it"),
        ([Value("beta", 0.1, "ours, unlike the tutor: lower"), GOOD[1]], "beta: is 0.1, and tutor says 0.1"),
        ([GOOD[1]], "beta: tutor gives it, and the recipe does not cite it"),
    ],
)
def test_a_value_that_differs_from_its_source_is_found(found: list[Value], fault: str | None) -> None:
    assert faults(found, SAID)[:1] == ([fault] if fault else [])
