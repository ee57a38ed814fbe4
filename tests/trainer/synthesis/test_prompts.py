"""Which prompts a stage has: drawn from its datasets as for any dataset, each asked once."""

import json

import pytest
from alignment_api.spec.data import Dataset
from alignment_trainer.failures import BadData
from alignment_trainer.synthesis.made import LeftOut
from alignment_trainer.synthesis.prompts import prompts_of, told_by_user

AI = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "As an AI, I cannot."}, {"role": "user", "content": "b"}]


def found(config, root, rows, **dataset):
    (root / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    prompts, total = prompts_of(config, [Dataset(uri="workspace://rows.jsonl", **dataset)], "field", 1)
    prompts = list(prompts)
    assert len(prompts) == total
    return [prompt.reason if isinstance(prompt, LeftOut) else prompt.messages[-1]["content"] for prompt in prompts]


CASES = [
    ("all of them, in their order", [{"question": "a"}, {"prompt": "b"}], {}, ["a", "b"]),
    ("the same question is asked once", [{"question": "a"}, {"prompt": "a"}], {}, ["a", "repeated"]),
    ("Truecase", [{"question": "WHAT IS THE CITY?"}], {"cleaning": ["Truecase"]}, ["What is the city?"]),
    ("DropRefusals", [{"messages": AI}, {"question": "a"}], {"cleaning": ["DropRefusals"]}, ["refusals", "a"]),
]


SYSTEM, ASKED, SAID = {"role": "system", "content": "Be kind."}, {"role": "user", "content": "a"}, AI[1]
TOLD = [
    ([ASKED], [ASKED]),
    ([SYSTEM, ASKED, SAID, ASKED], [{"role": "user", "content": "Be kind.\n\na"}, SAID, ASKED]),
    ([SYSTEM, SAID, ASKED], [{"role": "user", "content": "Be kind."}, SAID, ASKED]),
]


@pytest.mark.parametrize(("messages", "told"), TOLD)
def test_a_user_tells_what_the_system_message_says(messages, told):
    assert list(told_by_user(messages)) == told


@pytest.mark.parametrize(("rows", "dataset", "texts"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_prompts_are_drawn(rows, dataset, texts, distilling, tmp_path):
    assert found(distilling(tmp_path), tmp_path, rows, **dataset) == texts


@pytest.mark.parametrize("dataset", [{"maxExamples": 5}, {"fraction": 0.5}])
def test_a_share_is_drawn_with_the_seed(dataset, distilling, tmp_path):
    texts = found(distilling(tmp_path), tmp_path, [{"question": str(number)} for number in range(10)], **dataset)
    assert len(texts) == 5
    assert texts == found(distilling(tmp_path), tmp_path, [{"question": str(number)} for number in range(10)], **dataset)


def test_a_row_without_a_question_is_refused_with_its_place(distilling, tmp_path):
    with pytest.raises(BadData, match=r"^rows.jsonl:2: has no question.*\(field\[0\]\)$"):
        found(distilling(tmp_path), tmp_path, [{"question": "a"}, {"answer": "a"}])
