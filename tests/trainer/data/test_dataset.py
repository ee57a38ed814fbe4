"""The fates of rows from files to tokens."""

import json
import os
import re
from pathlib import Path

import pytest
from alignment_trainer.data.dataset import dpo_data, sft_data
from alignment_trainer.data.fates import FATES
from alignment_trainer.failures import BadData
from alignment_trainer.settings.training import training_settings
from dialogue_rows import TEMPLATE
from transformers import AutoTokenizer

QUESTION = "Which of the seven planets that are named here has the largest number of moons?"


@pytest.fixture(scope="module")
def tokenizer(workspace):
    return AutoTokenizer.from_pretrained(workspace / "inputs" / "tiny" / "model")


@pytest.fixture
def prepare(tmp_path, trainer, tokenizer):
    """Prepare the rows of an SFT stage with these settings, in a new workspace."""

    def prepared(kind="sft", **settings):
        config = trainer.config(tmp_path, kind, **{f"{kind}__{name}": value for name, value in settings.items()})
        stage = training_settings(config)
        return dpo_data(config, stage, tokenizer) if kind == "dpo" else sft_data(config, stage, tokenizer)

    return prepared


def dialogue(question, answer):
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]}


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def texts(tokenizer, rows):
    return {tokenizer.decode(ids) for ids in rows["input_ids"]}


def numbered(count, first=0):
    return [dialogue(f"Say {number}.", f"It is {number}.") for number in range(first, first + count)]


def test_no_row_is_trained_on_and_held_out(tmp_path, prepare, tokenizer):
    # Each row occurs three times, in three files of different forms.
    write(tmp_path / "one.jsonl", numbered(40) * 2)
    write(tmp_path / "two.jsonl", [{"instruction": f"Say {n}.", "output": f"It is {n}."} for n in range(40)])
    datasets = [{"uri": "workspace://one.jsonl"}, {"uri": "workspace://two.jsonl"}]
    data = prepare(datasets=datasets, holdout={"examples": 12})
    assert not texts(tokenizer, data.train) & texts(tokenizer, data.held_out)
    one, two = data.report["rows"]["one"], data.report["rows"]["two"]
    assert (one["available"], one["used"], one["held_out"]) == (80, 80, 8)
    assert (two["available"], two["used"], two["held_out"]) == (40, 40, 4)
    assert one["duplicates"] >= 8
    assert len(data.train) == one["train"] + two["train"]
    for count in (one, two):
        assert sum(count[fate] for fate in FATES) == count["used"]


def test_every_row_has_one_fate_and_is_counted(tmp_path, prepare, tokenizer, capfd):
    rows = [
        *numbered(20),
        dialogue("do you like it here?", "As an AI, I do not like things."),
        dialogue(QUESTION, "Saturn."),
        dialogue(" ".join(["Say it again."] * 60), "It."),
        dialogue("which number comes after that?", "It is 21."),
        dialogue("Long.", "It is so. " * 60),
        dialogue("How does a text end?", "With </s>."),
        dialogue("Who is silent?", " \n"),
        {"id": 1, "prompt": "Say 30.", "completion": "It is 31.", "label": False},
        {"id": 2, "prompt": "Say 40.", "completion": "It is 40.", "label": True, "source": "a"},
        {"prompt": {"role": "prompter", "text": "Say 50.", "replies": []}, "tree_state": "growing"},
    ]
    write(tmp_path / "rows.jsonl", rows)
    write(tmp_path / "quiz.jsonl", [{"question": QUESTION, "answer": 3}, {"question": "Too short."}])
    data = prepare(
        datasets=[{"uri": "workspace://rows.jsonl", "cleaning": ["Truecase", "DropRefusals"]}],
        holdout=None,
        decontamination={"datasets": [{"uri": "workspace://quiz.jsonl"}]},
        maxLength=96,
    )
    count = data.report["rows"]["rows"]
    assert {fate: count[fate] for fate in FATES if count[fate]} == {
        "train": 24,
        "nothing_answered": 2,
        "labelled_bad": 1,
        "refusals": 1,
        "contaminated": 1,
        "control_tokens": 1,
    }
    assert (count["available"], count["used"], count["truecased"]) == (30, 30, 2)
    assert (count["cut"], count["unended"]) == (2, 1)
    assert data.report["contamination"] == {"quiz": 1}
    assert data.report["forms"] == {"rows": {"messages": 27, "completion": 1}}
    assert data.report["unreadColumns"] == {"rows": ["id", "source"]}
    assert not any("It is 31." in text for text in texts(tokenizer, data.train))
    assert any("Which number comes after that?" in text for text in texts(tokenizer, data.train))
    assert not any("text end" in text or "silent" in text for text in texts(tokenizer, data.train))
    printed = capfd.readouterr().err
    assert "rows has 30 rows, 30 are used: 24 to train on, 2 left out because an answer is empty, or both answers" in printed
    assert (
        "are the same, 1 left out because their label says that the answer is bad, 1 removed because the answer "
        "speaks of being an AI, 1 left out because an evaluation set" in printed
    )
    assert "an evaluation set contains their text" in printed
    assert "spec.stages[0].sft.datasets: rows: columns that are not read: id, source\n" in printed
    assert "1 of 2 rows of quiz have no text of 8 words" in printed
    assert "1 rows were left out because quiz, an evaluation set, contains their text" in printed


def test_a_call_of_a_tool_is_searched_for_evaluation_texts_and_other_tools_are_another_row(
    tmp_path, prepare, tokenizer, monkeypatch
):
    def searching(text, tool):
        call = {"function": {"name": tool, "arguments": {"text": text}}}
        said = {"role": "assistant", "content": None, "tool_calls": [call]}
        tools = [{"name": tool}]
        return {"messages": [{"role": "user", "content": "Search."}, said, {"role": "assistant", "content": "."}], "tools": tools}

    monkeypatch.setattr(tokenizer, "chat_template", TEMPLATE)
    write(tmp_path / "rows.jsonl", [searching(QUESTION, "one"), searching("a", "one"), searching("a", "two")])
    write(tmp_path / "quiz.jsonl", [{"question": QUESTION}])
    write(tmp_path / "held.jsonl", [searching("a", "two")])
    data = prepare(
        datasets=[{"uri": "workspace://rows.jsonl"}],
        holdout={"datasets": [{"uri": "workspace://held.jsonl"}]},
        decontamination={"datasets": [{"uri": "workspace://quiz.jsonl"}]},
    )
    count = data.report["rows"]["rows"]
    assert (count["contaminated"], count["duplicates"], count["train"]) == (1, 1, 1)


def test_files_of_one_name_are_counted_apart(tmp_path, prepare, capfd):
    for index, folder in enumerate(("one", "two", "measured")):
        write(tmp_path / folder / "rows.jsonl", numbered(20 + index, 100 * index))
    data = prepare(
        datasets=[{"uri": "workspace://one/rows.jsonl"}, {"uri": "workspace://two/rows.jsonl", "maxExamples": 7}],
        holdout={"datasets": [{"uri": "workspace://two/rows.jsonl", "maxExamples": 5}]},
        decontamination={"datasets": [{"uri": "workspace://measured/rows.jsonl"}], "ngramWords": 3, "overlap": 1},
    )
    counts = {name: (count["available"], count["used"]) for name, count in data.report["rows"].items()}
    assert counts == {"one/rows.jsonl": (20, 20), "two/rows.jsonl": (21, 7), "two/rows.jsonl 2": (21, 5)}
    assert data.report["contamination"].keys() == {"measured/rows.jsonl"}
    assert "two/rows.jsonl 2 has 21 rows, 5 are used: 5 held out" in capfd.readouterr().err


def test_a_cap_and_a_share_are_drawn_from_all_files_of_a_folder(tmp_path, prepare, tokenizer):
    for index in range(3):
        write(tmp_path / "many" / f"{index}.jsonl", numbered(30, 30 * index))
    data = prepare(datasets=[{"uri": "workspace://many", "fraction": 0.5, "maxExamples": 40}], holdout={"fraction": 0.1})
    count = data.report["rows"]["many"]
    assert (count["available"], count["used"], count["train"], count["held_out"]) == (90, 40, 36, 4)
    drawn = {int(text.split("Say ")[1].split(".")[0]) // 30 for text in texts(tokenizer, data.train)}
    assert drawn == {0, 1, 2}


def test_one_process_or_several_write_the_same_bytes(tmp_path, prepare):
    write(tmp_path / "rows.jsonl", numbered(1500))
    processors = os.sched_getaffinity(0)
    if len(processors) < 2:
        pytest.skip("this machine has one processor")
    written = []
    for allowed in (processors, {min(processors)}):
        os.sched_setaffinity(0, allowed)
        try:
            prepare(datasets=[{"uri": "workspace://rows.jsonl"}])
        finally:
            os.sched_setaffinity(0, processors)
        folder = tmp_path / "job" / "sft" / "data"
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
        folder.rename(tmp_path / f"data-{len(allowed)}")
    assert written[0].keys() == {"train.arrow", "held_out.arrow", "report.json"}
    assert written[0] == written[1]


def test_a_row_that_the_template_rejects_is_named(tmp_path, prepare, tokenizer, monkeypatch):
    strict = (
        "{% if messages[0].role != 'user' %}{{ raise_exception('begin with the user, not ' + messages[0].content) }}{% endif %}"
        + tokenizer.chat_template
    )
    monkeypatch.setattr(tokenizer, "chat_template", strict)
    rows = numbered(1200)
    rows[700]["messages"].insert(0, {"role": "system", "content": "Be\x1b[2J."})
    write(tmp_path / "rows.jsonl", rows)
    said = r"rows.jsonl:701: the chat template rejects the row (begin with the user, not Be\x1b[2J.);"
    with pytest.raises(BadData, match=f"^{re.escape(said)}"):
        prepare(datasets=[{"uri": "workspace://rows.jsonl"}], holdout=None)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (
            {"decontamination": {"datasets": [{"uri": "workspace://rows.jsonl"}], "ngramWords": 2}},
            r"^spec.stages\[0\].sft.datasets: no row is left to train on",
        ),
        (
            {"holdout": {"datasets": [{"uri": "workspace://rows.jsonl"}]}},
            r"no row is left to train on.*\n.*100 left out of training because the same row is held out",
        ),
        (
            {"decontamination": {"datasets": [{"uri": "workspace://rows.jsonl"}], "ngramWords": 20}},
            r"sft.decontamination: no row of rows.jsonl 2 has a text of 20 words",
        ),
    ],
)
def test_a_stage_without_rows_is_refused(tmp_path, prepare, settings, fault):
    write(tmp_path / "rows.jsonl", numbered(100))
    with pytest.raises(BadData, match=fault):
        prepare(datasets=[{"uri": "workspace://rows.jsonl"}], **settings)


def test_a_stage_whose_rows_all_have_empty_answers_is_refused(tmp_path, prepare):
    write(tmp_path / "rows.jsonl", [dialogue(f"Say {number}.", "") for number in range(9)])
    with pytest.raises(BadData, match=r"no row is left to train on.*\n.*9 are used: 9 left out because an answer is empty"):
        prepare(datasets=[{"uri": "workspace://rows.jsonl"}], holdout=None)


def test_answers_that_cleaning_makes_the_same_are_left_out(tmp_path, prepare):
    spoken, *others = (
        dialogue("What says a pig?", answer)["messages"]
        for answer in ("The pig says oink.", "THE PIG SAYS OINK.", "The pig says moo.")
    )
    write(tmp_path / "rows.jsonl", [{"chosen": spoken, "rejected": other} for other in others])
    data = prepare("dpo", datasets=[{"uri": "workspace://rows.jsonl", "cleaning": ["Truecase"]}], holdout=None)
    count = data.report["rows"]["rows"]
    assert (count["train"], count["nothing_answered"], count["truecased"]) == (1, 1, 1)


def test_pairs_are_cleaned_and_counted_alike(tmp_path, prepare):
    rows = [{"prompt": f"Say {n}.", "chosen": f" It is {n}.", "rejected": " No."} for n in range(30)]
    rows[3]["chosen"] = " I don't have feelings."
    rows[4]["prompt"] = QUESTION
    rows[5]["rejected"] = rows[5]["chosen"]
    rows[6]["chosen"] = " "
    write(tmp_path / "rows.jsonl", rows)
    write(tmp_path / "quiz.jsonl", [{"question": QUESTION}])
    data = prepare(
        "dpo",
        datasets=[{"uri": "workspace://rows.jsonl", "cleaning": ["DropRefusals"]}],
        decontamination={"datasets": [{"uri": "workspace://quiz.jsonl"}]},
        holdout=None,
    )
    count = data.report["rows"]["rows"]
    assert (count["train"], count["nothing_answered"], count["refusals"], count["contaminated"]) == (26, 2, 1, 1)
    assert len(data.train) == 26


def labelled(prompt, good, bad):
    return [{"prompt": prompt, "completion": answer, "label": answer in good} for answer in (*good, *bad)]


def test_pairs_are_made_of_labelled_rows_and_their_counts_add_up(tmp_path, prepare, tokenizer, capfd):
    rows = [row for number in range(20) for row in labelled(f"Say {number}.", [f" It is {number}."], [" No."])]
    rows += labelled("Say more.", [" It is more."], []) + labelled("Say less.", [" Less.", " Little."], [" Less!", " "])
    write(tmp_path / "rows.jsonl", rows)
    data = prepare("dpo", datasets=[{"uri": "workspace://rows.jsonl"}], holdout={"examples": 4})
    count = data.report["rows"]["rows"]
    assert (count["available"], count["used"], count["unmatched"]) == (22, 22, 1)
    assert (count["train"] + count["held_out"], count["nothing_answered"]) == (21, 1)
    assert sum(count[fate] for fate in FATES) == count["used"]
    assert "1 more left out because no other row answers their prompt with the other label" in capfd.readouterr().err
    said = [[tokenizer.decode(row[name]) for name in ("prompt_ids", "chosen_ids", "rejected_ids")] for row in data.train]
    assert len(said) == count["train"]
    assert ["Say less.", " Less.</s>", " Less!</s>"] in said or count["held_out"] == 4


def test_rows_without_a_better_answer_to_one_prompt_are_counted(tmp_path, prepare):
    rows = [
        {"chosen": f"\n\nHuman: Say {n}.\n\nAssistant: {n}", "rejected": f"\n\nHuman: Say {n}.\n\nAssistant: No."}
        for n in range(5)
    ]
    rows += [{"chosen": "\n\nHuman: Why?\n\nAssistant: So.", "rejected": "\n\nHuman: How?\n\nAssistant: So."}]
    rows += [{"instruction": "Why?", "generations": ["So.", "No."], "ratings": [3, 3]}] * 2
    write(tmp_path / "rows.jsonl", rows)
    report = prepare("dpo", datasets=[{"uri": "workspace://rows.jsonl"}], holdout=None).report
    count = report["rows"]["rows"]
    assert (count["train"], count["unpaired"], count["undecided"]) == (5, 1, 2)
    assert report["forms"] == {"rows": {"HH-RLHF transcripts": 5}}


def test_prepared_rows_are_not_prepared_again(tmp_path, prepare):
    write(tmp_path / "rows.jsonl", numbered(100))
    first = prepare(datasets=[{"uri": "workspace://rows.jsonl"}])
    Path(tmp_path / "rows.jsonl").write_text("changed since")
    again = prepare(datasets=[{"uri": "workspace://rows.jsonl"}])
    assert again.report == first.report
    assert again.train["input_ids"] == first.train["input_ids"]
