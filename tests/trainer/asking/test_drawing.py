"""Which held-out rows become the prompts of a job, and that all its stages and attempts find the same ones."""

import json
from collections import Counter

import pytest
from alignment_trainer.asking.drawing import job_prompts
from alignment_trainer.asking.prompts import readable
from alignment_trainer.data.tokens import asked_ids
from alignment_trainer.forms.examples import Dialogue
from messages import assistant, system, user


@pytest.fixture
def ask(tmp_path, trainer, tokenizer):
    """Return the prompts that a stage asks, in a workspace that the test fills."""

    def asked(stage="sft", **changes):
        defaults = {"sft__datasets": [{"uri": "workspace://sft.jsonl"}], "dpo__datasets": [{"uri": "workspace://dpo.jsonl"}]}
        (tmp_path / "job").mkdir(exist_ok=True)
        return job_prompts(trainer.config(tmp_path, stage, **{**defaults, **changes}), tokenizer)

    return asked


@pytest.fixture
def rows(tmp_path):
    """Both stages have a hundred rows with different questions."""
    write(tmp_path / "sft.jsonl", [{"messages": [user(f"Say {n}."), assistant(f"It is {n}.")]} for n in range(100)])
    write(tmp_path / "dpo.jsonl", [pair(f"Which is {n}?") for n in range(100)])


def pair(question):
    return {"prompt": question, "chosen": [user(question), assistant("This.")], "rejected": [user(question), assistant("That.")]}


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def by_stage(prompts):
    return Counter(prompt.stage for prompt in prompts)


def test_each_stage_and_attempt_finds_what_the_first_one_drew(rows, ask, tmp_path):
    first = ask("sft")
    assert by_stage(first) == {"sft": 4, "dpo": 4}
    assert len({prompt.key for prompt in first}) == 8
    written = (tmp_path / "job" / "prompts.json").stat().st_mtime_ns
    # A source may change; a stage that resumes must ask the same.
    write(tmp_path / "sft.jsonl", [{"messages": [user("Another?"), assistant("Yes.")]}] * 100)
    assert ask("dpo") == ask("sft") == first
    assert (tmp_path / "job" / "prompts.json").stat().st_mtime_ns == written


def test_a_prompt_has_the_answers_of_its_row(rows, ask):
    sft, *_, dpo = ask()
    number = sft.texts["prompt"].removeprefix("Say ").removesuffix(".")
    assert sft.texts == {"prompt": f"Say {number}.", "reference": f"It is {number}."}
    assert dpo.texts.keys() == {"prompt", "chosen", "rejected"}
    assert (dpo.texts["chosen"], dpo.texts["rejected"]) == ("This.", "That.")


def test_prompts_depend_on_rows_and_seed_and_on_nothing_else_of_a_job(rows, ask, tmp_path):
    def keys(**changes):
        (tmp_path / "job" / "prompts.json").unlink(missing_ok=True)
        return [prompt.key for prompt in ask(**changes)]

    known = keys()
    assert keys(dpo__beta=0.5, sft__optimization__learningRate=1e-5) == known
    assert keys(sft__optimization__seed=7)[4:] == known[4:]
    assert keys(sft__optimization__seed=7)[:4] != known[:4]


@pytest.mark.parametrize(
    ("holdouts", "drawn"),
    [
        ({"sft": {"examples": 2}}, {"sft": 2, "dpo": 4}),
        ({"sft": None}, {"dpo": 4}),
        ({"dpo": {"datasets": [{"uri": "workspace://dpo.jsonl", "maxExamples": 1}]}}, {"sft": 4, "dpo": 1}),
        ({"sft": None, "dpo": None}, {}),
    ],
)
def test_prompts_come_from_stages_that_hold_rows_out(rows, ask, tmp_path, holdouts, drawn):
    assert by_stage(ask(**{f"{stage}__holdout": holdout for stage, holdout in holdouts.items()})) == drawn
    assert (tmp_path / "job" / "prompts.json").exists() == bool(drawn)


@pytest.mark.parametrize(("more", "drawn"), [(1, [3, 3, 2]), (2, [2, 2, 2, 2]), (7, [1] * 8)])
def test_many_stages_share_eight_prompts(rows, ask, trainer, tokenizer, tmp_path, more, drawn):
    config = trainer.config(
        tmp_path, sft__datasets=[{"uri": "workspace://sft.jsonl"}], dpo__datasets=[{"uri": "workspace://dpo.jsonl"}]
    )
    (tmp_path / "job").mkdir()
    sft, dpo = config.spec.stages
    others = [dpo.model_copy(update={"name": f"dpo{number}"}) for number in range(more)]
    config = config.model_copy(update={"spec": config.spec.model_copy(update={"stages": [sft, dpo, *others]})})
    assert sorted(by_stage(job_prompts(config, tokenizer)).values(), reverse=True) == drawn


@pytest.mark.parametrize("left_out", ["dpo.jsonl", "nothing.jsonl"])
def test_rows_that_cannot_be_read_yet_are_asked_from_their_own_stage_on(rows, ask, tmp_path, capfd, left_out):
    (tmp_path / "dpo.jsonl").rename(tmp_path / "later.jsonl")
    changes = {"dpo__datasets": [{"uri": f"workspace://{left_out}"}]}
    before = ask("sft", **changes)
    assert by_stage(before) == {"sft": 4}
    assert ask("sft", **changes) == before
    assert "spec.stages[1].dpo: no prompts to ask are drawn from its rows yet: workspace://" in capfd.readouterr().err
    (tmp_path / "later.jsonl").rename(tmp_path / left_out)
    after = ask("dpo", **changes)
    assert after[:4] == before
    assert by_stage(after) == {"sft": 4, "dpo": 4}


def test_only_the_prompts_of_a_stage_that_holds_out_other_rows_are_drawn_again(rows, ask, tmp_path):
    before = ask()
    write(tmp_path / "new.jsonl", [pair(f"Where is {n}?") for n in range(100)])
    after = ask(dpo__datasets=[{"uri": "workspace://new.jsonl"}])
    assert after[:4] == before[:4]
    assert all(prompt.texts["prompt"].startswith("Where") for prompt in after[4:])
    assert ask(dpo__datasets=[{"uri": "workspace://new.jsonl"}], dpo__beta=0.5) == after


LONG = "Say it again. " * 60
UNUSABLE = [
    ("without a prompt", {"messages": [assistant("Hello."), user("Hi."), assistant("Yes.")]}),
    ("a text alone", {"text": "It is so."}),
    ("a prompt that is too long", {"messages": [user(LONG), assistant("It.")]}),
    ("nothing answered", {"messages": [user("Who is silent?"), assistant(" ")]}),
    ("a control token", {"messages": [user("How does it end?"), assistant("With </s>.")]}),
    ("labelled bad", {"prompt": "Say 1.", "completion": "It is 2.", "label": False}),
    ("not a row", {"some": "thing"}),
    ("asked already", {"messages": [user("Say 1."), assistant("One.")]}),
]


@pytest.mark.parametrize("row", [row[1] for row in UNUSABLE], ids=[row[0] for row in UNUSABLE])
def test_rows_that_cannot_be_asked_are_passed_over(tmp_path, ask, row):
    held_out = [row] * 20 + [{"messages": [user("Say 1."), assistant("It is 1.")]}]
    write(tmp_path / "sft.jsonl", [{"messages": [user("Go on."), assistant("On.")]}] * 4)
    write(tmp_path / "held.jsonl", held_out)
    prompts = ask(sft__holdout={"datasets": [{"uri": "workspace://held.jsonl"}]}, dpo__holdout=None)
    assert [prompt.texts["prompt"] for prompt in prompts] == ["Say 1."]


@pytest.mark.parametrize(
    ("row", "prompt", "reference"),
    [
        ({"messages": [user("One?"), assistant("1."), user("Two?"), assistant("2.")]}, "One?", "1."),
        # Later turns that do not fit into maxLength do not matter.
        ({"messages": [user("One?"), assistant("1."), user(LONG), assistant("2.")]}, "One?", "1."),
        ({"messages": [system("Be short."), user("One?"), assistant("1.")]}, "system: Be short.\n\nuser: One?", "1."),
        (
            {"messages": [user("One?"), {**assistant("0."), "weight": 0}, user("No."), assistant("1.")]},
            "user: One?\n\nassistant: 0.\n\nuser: No.",
            "1.",
        ),
        ({"instruction": "One?", "output": "1."}, "One?", "1."),
        ({"prompt": "One is", "completion": " 1."}, "One is", "1."),
        (
            {"messages": [user("which number is one?"), assistant("it is 1, as we know.")]},
            "Which number is one?",
            "It is 1, as we know.",
        ),
    ],
)
def test_a_dialogue_is_asked_up_to_its_first_learned_answer(tmp_path, ask, row, prompt, reference):
    write(tmp_path / "sft.jsonl", [{"messages": [user("Go on."), assistant("On.")]}] * 4)
    write(tmp_path / "held.jsonl", [row])
    held_out = {"datasets": [{"uri": "workspace://held.jsonl", "cleaning": ["Truecase"]}]}
    (found,) = ask(sft__holdout=held_out, dpo__holdout=None)
    assert (readable(found.prompt), found.texts["reference"]) == (prompt, reference)


@pytest.mark.parametrize(("max_length", "longest"), [(256, 256), (1024, 512), (4096, 1024)])
def test_a_prompt_is_short_beside_the_rows_that_are_trained_on(ask, tmp_path, tokenizer, max_length, longest):
    def length(words):
        return len(asked_ids(Dialogue([user("A" * words)], [assistant("Yes.")]), tokenizer))

    most = next(words for words in range(longest, 0, -1) if length(words) <= longest)
    write(tmp_path / "dpo.jsonl", [pair("Is it?")] * 8)
    lengths = {"sft__maxLength": max_length, "dpo__maxLength": max_length}
    for words, drawn in ((most, 1), (most + 20, 0)):
        write(tmp_path / "sft.jsonl", [{"messages": [user("A" * words), assistant("Yes.")]}] * 8)
        (tmp_path / "job" / "prompts.json").unlink(missing_ok=True)
        changes = {f"{stage}__holdout": {"examples": 4} for stage in ("sft", "dpo")}
        assert by_stage(ask(**lengths, **changes))["sft"] == drawn


@pytest.mark.parametrize("damage", [b"", b'{"drawn": {', b"\xff\xff", b"[]"])
def test_damaged_prompts_are_set_aside_and_drawn_anew(rows, ask, tmp_path, capfd, damage):
    before = ask()
    path = tmp_path / "job" / "prompts.json"
    path.write_bytes(damage)
    assert ask() == before
    assert path.with_name("prompts.json.damaged").read_bytes() == damage
    assert capfd.readouterr().err == f"{path}.damaged was damaged; the prompts to ask are drawn anew\n"
    assert ask() == before
