"""The trainer does what docs/data.md shows."""

import json
import re
from pathlib import Path

import pytest
import yaml
from alignment_api.spec.data import Columns, Dataset
from alignment_api.spec.stages import Sft
from alignment_trainer.data.fates import COUNTS
from alignment_trainer.data.mixture import used_rows
from alignment_trainer.forms.columns import mapped
from alignment_trainer.forms.dialogues import DIALOGUE_FORMS
from alignment_trainer.forms.examples import Dialogue, Pair
from alignment_trainer.forms.pairs.table import PAIR_FORMS
from alignment_trainer.forms.rows import dialogue_form, pair_form, read_dialogue
from alignment_trainer.reading.bad_row import BadRow
from alignment_trainer.reading.row_files import FORMATS
from dialogue_rows import dialogue_of
from pair_rows import pair_of

PAGE = (Path(__file__).parents[3] / "docs" / "data.md").read_text()


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL).group(1)


def section(title: str) -> str:
    return PAGE.split(f"## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(("language", "read", "rows"), [("json sft", dialogue_of, 12), ("json dpo", pair_of, 20)])
def test_every_row_of_the_page_can_be_read(language, read, rows):
    shown = block(language).splitlines()
    assert len(shown) == rows
    for line in shown:
        assert read(json.loads(line))


def test_the_page_describes_each_form_of_dialogues_and_shows_a_row_of_it():
    shown = [dialogue_form(json.loads(line)).name for line in block("json sft").splitlines()]
    described = re.findall(r"^\| ([^|]+) \| (`[^|]*) \| .* \|$", section("Rows for SFT"), re.MULTILINE)
    assert list(dict.fromkeys(shown)) == [name for name, _ in described] == [form.name for form in DIALOGUE_FORMS]
    for form, (_, columns) in zip(DIALOGUE_FORMS, described, strict=True):
        assert {*form.columns, *form.optional} == set(re.findall(r"`(\w+)`", columns)), form.name


def test_the_page_describes_each_form_of_pairs_and_shows_a_row_of_it():
    shown = [pair_form(json.loads(line)).name for line in block("json dpo").splitlines()]
    described = re.findall(r"^\| ([^|]+) \| (`[^|]*) \| .* \|$", section("Rows for DPO"), re.MULTILINE)
    assert set(shown) == {form.name for form in PAIR_FORMS}
    assert [name for name, _ in described] == [form.name for form in PAIR_FORMS]
    for form, (_, columns) in zip(PAIR_FORMS, described, strict=True):
        assert set(form.columns) <= set(re.findall(r"`(\w+)`", columns)), form.name


def test_the_mappings_of_the_page_read_its_rows():
    datasets = [Dataset.parse(document) for document in yaml.safe_load(block("yaml columns"))]
    ticket, rated, chat, book = (
        mapped(json.loads(line), dataset.columns)
        for line, dataset in zip(block("json columns").splitlines(), datasets, strict=True)
    )
    system, asked = {"role": "system", "content": "Be short."}, {"role": "user", "content": "It fails."}
    answered = {"role": "assistant", "content": "Delete old files."}
    logged = {**asked, "content": "It fails.\n\ndisk full"}
    assert read_dialogue(ticket) == (Dialogue(None, [system, logged, answered]), "columns, read as messages", ("nr",))
    assert pair_of(rated) == Pair([asked], [answered], [{**answered, "content": "Bad luck."}])
    assert dialogue_of(chat) == Dialogue(None, [system, asked, answered])
    assert dialogue_of(book) == Dialogue("", "Once upon a time there was a pig.")


def test_the_page_describes_each_target_of_columns():
    rows = re.findall(r"^\| (`[^|]*) \|", section("Columns with other names"), re.MULTILINE)
    assert {target for row in rows for target in re.findall(r"`(\w+)`", row)} == set(Columns.model_fields)


def test_all_dialogues_of_the_page_make_the_same_pair():
    pairs = [pair_of(json.loads(line)) for line in block("json dpo").splitlines()]
    assert all(pair == pairs[1] for pair in pairs[1:])


def test_the_settings_of_the_page_are_a_stage():
    assert Sft.parse(yaml.safe_load(block("yaml"))).decontamination


def test_the_arithmetic_of_the_page():
    rows = re.findall(r"^\| (\d+) \| (\S+) \| (\S+) \| (\d+) \|$", section("How many rows are used"), re.MULTILINE)
    assert len(rows) == 4
    for available, fraction, cap, used in rows:
        settings = {"fraction": fraction, "max_examples": cap}
        dataset = Dataset(uri="hf://a/b", **{name: value for name, value in settings.items() if value != "–"})
        assert used_rows(dataset, int(available)) == int(used)


def test_all_formats_and_counts_are_on_the_page():
    assert set(re.findall(r"`(\.[a-z.]+)`", section("File formats and locations"))) - {".cache"} == set(FORMATS)
    named = {name for line in re.findall(r"^\| (`.*?) \|", section("How many rows are used"), re.MULTILINE)
             for name in re.findall(r"`(\w+)`", line)}  # fmt: skip
    assert named == set(COUNTS)


@pytest.mark.parametrize(
    ("place", "messages"),
    [
        ("chat/part-3.jsonl:1729", [{"role": role, "content": "a"} for role in ("user", "assistant", "bot")]),
        ("chat/part-4.parquet: row 12", []),
    ],
)
def test_the_refusals_of_the_page_are_real(place, messages):
    said = re.search(rf"{place}: (.*) \((spec|\.)", section("What is refused")).group(1)
    with pytest.raises(BadRow, match=re.escape(said)):
        dialogue_of({"messages": messages})
