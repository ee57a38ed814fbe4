import json
import subprocess
import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from alignment_api.spec.stages import StageModel
from alignment_trainer.checks.datasets import Findings
from alignment_trainer.checks.preflight import check, check_job, doubts
from alignment_trainer.failures import BadConfiguration, BadData, StageFailure
from alignment_trainer.workspace.stage_folder import claim
from template_families import UNFIT

SFT, PREFERENCES = "inputs/tiny/sft.jsonl", "inputs/tiny/preferences.jsonl"


def test_the_tiny_example_passes(workspace, trainer):
    check(trainer.config(workspace))


def remove(path):
    path.unlink()


def empty(path):
    path.write_text("")


def tear_line_17(path):
    lines = path.read_text().splitlines()
    lines[16] = lines[16][:20]
    path.write_text("\n".join(lines))


def rename_column(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[2] = {"prompt": rows[2]["prompt"], "good": rows[2]["chosen"], "rejected": rows[2]["rejected"]}
    path.write_text("\n".join(json.dumps(row) for row in rows))


def link_to_a_secret(path):
    path.unlink()
    path.symlink_to("/etc/passwd")


def make_folder(path):
    path.unlink()
    path.mkdir()


def write_garbage(path):
    path.write_bytes(b"\xff\xfe\x00garbage")


@pytest.mark.parametrize(
    ("file", "damage", "fault"),
    [
        (
            SFT,
            link_to_a_secret,
            "spec.stages[0].sft.datasets[0].uri: workspace://inputs/tiny/sft.jsonl is a link to /etc/passwd, a system file",
        ),
        (
            SFT,
            remove,
            "spec.stages[0].sft.datasets[0].uri: workspace://inputs/tiny/sft.jsonl does not exist on the workspace volume; "
            "copy it there or correct the path",
        ),
        # A fault in what only the second stage reads stops the first one.
        (PREFERENCES, remove, "spec.stages[1].dpo.datasets[0].uri: workspace://inputs/tiny/preferences.jsonl does not exist"),
        (SFT, empty, "workspace://inputs/tiny/sft.jsonl has no rows"),
        (SFT, make_folder, "is a folder that has no .jsonl or .jsonl.gz or .json or .parquet"),
        (SFT, write_garbage, "inputs/tiny/sft.jsonl:1: contains NUL bytes or a UTF-16 mark"),
        (PREFERENCES, tear_line_17, "inputs/tiny/preferences.jsonl:17: is not valid JSON"),
        (PREFERENCES, rename_column, "inputs/tiny/preferences.jsonl:3: has no chosen; it needs prompt, chosen and rejected"),
    ],
)
def test_broken_files(own_workspace, trainer, file, damage, fault):
    damage(own_workspace / file)
    with pytest.raises(BadData) as error:
        check(trainer.config(own_workspace))
    assert fault in str(error.value)


def test_many_faults_are_counted(own_workspace, trainer):
    (own_workspace / SFT).write_text("{}\n" * 12)
    with pytest.raises(BadData) as error:
        check(trainer.config(own_workspace))
    *shown, last = str(error.value).splitlines()
    assert len(shown) == 5
    assert last == "and 7 more"


def test_rows_without_an_answer_are_counted_in_each_dataset(own_workspace, trainer, capfd):
    with (own_workspace / SFT).open("a") as file:
        file.write('{"prompt": "a", "completion": ""}\n{"instruction": "a", "output": " "}\n')
    with (own_workspace / PREFERENCES).open("a") as file:
        file.write('{"prompt": "a", "chosen": "b", "rejected": "b"}\n')
    dialogues, pairs = (len((own_workspace / path).read_text().splitlines()) for path in (SFT, PREFERENCES))
    check(trainer.config(own_workspace))
    reason = "are left out because an answer is empty, or both answers are the same; the first is"
    assert capfd.readouterr().err.splitlines() == [
        f"spec.stages[0].sft.datasets[0].uri: 2 of {dialogues} rows of workspace://{SFT} {reason} {SFT}:{dialogues - 1}",
        f"spec.stages[1].dpo.datasets[0].uri: 1 of {pairs} rows of workspace://{PREFERENCES} {reason} {PREFERENCES}:{pairs}",
    ]


def test_rows_whose_label_says_that_the_answer_is_bad_are_counted_and_alone_they_are_refused(own_workspace, trainer, capfd):
    rows = [{"prompt": "a", "completion": "b", "label": number < 40} for number in range(60)]
    path = own_workspace / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    check(trainer.config(own_workspace, sft__datasets=[{"uri": "workspace://rows.jsonl"}]))
    assert (
        "20 of 60 rows of workspace://rows.jsonl are left out because their label says that the answer is bad; "
        "the first is rows.jsonl:41\n"
    ) in capfd.readouterr().err
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows[40:], {"prompt": "a", "completion": ""}]))
    with pytest.raises(BadData, match=r"in all 21 rows of workspace://rows.jsonl .*label says that the answer is bad"):
        check(trainer.config(own_workspace, sft__datasets=[{"uri": "workspace://rows.jsonl"}]))


def with_labels(folder, trainer, *labels):
    """Return a job whose pairs are rows with these labels, all to one prompt."""
    rows = [{"prompt": "a", "completion": f"b{number}", "label": label} for number, label in enumerate(labels)]
    (folder / "kto.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return trainer.config(folder, dpo__datasets=[{"uri": "workspace://kto.jsonl"}], dpo__holdout=None)


def test_labelled_rows_without_a_partner_are_counted(own_workspace, trainer, capfd):
    check(with_labels(own_workspace, trainer, True, False, True))
    assert "1 rows of workspace://kto.jsonl are in none of its 1 pairs because no other row answers" in capfd.readouterr().err


def test_labelled_rows_without_any_pair_are_refused(own_workspace, trainer):
    with pytest.raises(BadData, match=r"uri: workspace://kto.jsonl has rows with a label .* no prompt with both a good and"):
        check(with_labels(own_workspace, trainer, True, True))


def test_a_file_of_no_known_format(own_workspace, trainer):
    (own_workspace / "rows.xlsx").write_text("a,b\n")
    with pytest.raises(BadData, match=r"rows.xlsx is not a .jsonl or .* or .csv file; convert it"):
        check(trainer.config(own_workspace, sft__datasets=[{"uri": "workspace://rows.xlsx"}]))


def test_parquet_is_read_like_jsonl(own_workspace, trainer):
    rows = [json.loads(line) for line in (own_workspace / SFT).read_text().splitlines()]
    rows[1]["messages"] = None
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows[:5]), own_workspace / "rows.parquet")
    with pytest.raises(BadData, match=r"^rows.parquet: row 2: has no prompt and no completion"):
        check(trainer.config(own_workspace, sft__datasets=[{"uri": "workspace://rows.parquet"}]))


REFUSED_ROWS = [
    {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}], "label": 1},
    {"instruction": "q", "output": "a", "images": ["a.png"]},
    {"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "weight": 0.5}]},
    {"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "y"}], "tools": "not json"},
    {"instruction": "q", "output": "a", "history": "none"},
]


def begun(config, folder="data"):
    """Return a job whose first stage has begun, with a folder that it made."""
    claim(config)
    (Path(config.paths.stage) / folder).mkdir(parents=True)
    return config


@pytest.mark.parametrize("row", REFUSED_ROWS, ids=str)
def test_a_stage_whose_rows_are_tokens_already_does_not_read_them_again(own_workspace, trainer, row):
    (own_workspace / SFT).write_text(f"{json.dumps(row)}\n")
    config = trainer.config(own_workspace, sft__holdout={"datasets": [{"uri": f"workspace://{SFT}"}]})
    with pytest.raises(BadData, match=r"sft.jsonl:1: "):
        check(config)
    findings = check(begun(config))
    assert list(findings.counts) == ["spec.stages[1].dpo.datasets[0]"]


def test_a_stage_whose_rows_are_tokens_already_needs_no_template_that_marks_answers(own_workspace, trainer):
    template, _ = UNFIT["no end token after earlier answers"]
    (own_workspace / "inputs" / "tiny" / "model" / "chat_template.jinja").write_text(template)
    config = trainer.config(own_workspace)
    with pytest.raises(BadConfiguration, match=r"^spec.model.chatTemplate: "):
        check(config)
    check(begun(config))


def test_the_rows_of_other_inputs_are_no_excuse(own_workspace, trainer):
    (own_workspace / SFT).write_text("{}\n")
    config = begun(trainer.config(own_workspace))
    with pytest.raises(BadData, match=r"sft.jsonl:1: "):
        check(config.model_copy(update={"input_hash": "another"}))


def test_the_rows_of_later_stages_are_read_all_the_same(own_workspace, trainer):
    (own_workspace / SFT).write_text("{}\n")
    (own_workspace / PREFERENCES).write_text("{}\n")
    with pytest.raises(BadData) as error:
        check(begun(trainer.config(own_workspace)))
    assert len(str(error.value).splitlines()) == 1
    assert str(error.value).startswith(f"{PREFERENCES}:1: ")


def with_another_layer(folder):
    document = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**document, "num_hidden_layers": document["num_hidden_layers"] + 1}))


def test_a_stage_with_a_checkpoint_keeps_its_model_if_its_files_are_whole(own_workspace, trainer):
    config, folder = trainer.config(own_workspace), own_workspace / "inputs" / "tiny" / "model"
    with_another_layer(folder)
    with pytest.raises(BadConfiguration, match=r"tensors that its config.json describes"):
        check(begun(config))
    check(begun(config, "checkpoints/step-8"))
    (folder / "model.safetensors").write_text("torn")
    with pytest.raises(BadConfiguration, match="truncated or no safetensors file"):
        check(config)


def beside(config):
    """Return the job with a dpo stage that starts from the base model, too."""
    config.spec.stages[1].model = StageModel(base=True)
    return config


def test_a_stage_beside_it_that_starts_from_the_same_model_has_not_accepted_it(own_workspace, trainer):
    config = beside(begun(trainer.config(own_workspace), "checkpoints/step-8"))
    with_another_layer(own_workspace / "inputs" / "tiny" / "model")
    [doubt] = doubts(config, check(config))
    assert (doubt.path, "tensors that its config.json describes" in doubt.sentence) == ("spec.model.uri", True)


SEEN = "seen when stage 'sft' began; 'dpo' fails if it stays so"
DOUBTS = [
    ("bad rows", {}, "{}\n", "spec.stages[1].dpo", f"{PREFERENCES}:1: "),
    ("no rows", {}, "", "spec.stages[1].dpo.datasets[0].uri", "has no rows"),
    ("settings that do not agree", {"dpo__labelSmoothing": 0.1}, None, "spec.stages[1].dpo.labelSmoothing", "has no effect"),
]


@pytest.mark.parametrize(("changes", "rows", "path", "words"), [row[1:] for row in DOUBTS], ids=[row[0] for row in DOUBTS])
def test_what_a_stage_beside_it_lacks_is_said_and_stops_nothing(own_workspace, trainer, changes, rows, path, words):
    if rows is not None:
        (own_workspace / PREFERENCES).write_text(rows)
    config = beside(trainer.config(own_workspace, **changes))
    [doubt] = doubts(config, check(config))
    assert (doubt.path, words in doubt.sentence) == (path, True)
    assert doubt.sentence.endswith(f"({SEEN})")
    with pytest.raises(StageFailure, match=words):
        check_job(config)


def test_of_stages_side_by_side_only_those_that_begin_with_the_job_look_at_the_others(own_workspace, trainer):
    config = trainer.config(own_workspace)
    assert list(doubts(config, check(config))) == [], "dpo builds on sft"
    (own_workspace / PREFERENCES).write_text("{}\n")
    other = config.spec.stages[1].model_copy(update={"name": "other", "model": StageModel(base=True)})
    config.spec.stages.append(other)
    last = config.model_copy(update={"stage_name": "other"})
    assert list(doubts(last, Findings())) == [], "no stage comes after it"
    with pytest.raises(BadData):
        check(config)


def test_the_parents_model_must_exist(workspace, trainer):
    with pytest.raises(BadConfiguration, match="the model of the stage before is not a folder"):
        check(trainer.config(workspace, "dpo"))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"dpo__labelSmoothing": 0.1}, r"spec.stages\[1\].dpo.labelSmoothing: 0.1 has no effect on the loss Sigmoid"),
        ({"compute__offload": "Optimizer"}, r"spec.stages\[0\].compute.offload: Optimizer needs sharding"),
        ({"compute__offload": "OptimizerAndParameters", "compute__sharding": "ZeRO2"}, "set sharding to ZeRO3"),
        ({"dpo__optimization__optimizer": "PagedAdamW32bit"}, "pages GPU memory, and there is no GPU"),
        (
            {"dpo__adapter": {"lora": {"rank": 4}, "quantization": "NF4"}, "compute__sharding": "ZeRO3"},
            "ZeRO3 cannot shard quantized weights",
        ),
    ],
)
def test_settings_without_effect_are_refused_before_the_first_stage(workspace, trainer, changes, fault):
    with pytest.raises(BadConfiguration, match=fault):
        check(trainer.config(workspace, **changes))


def test_a_missing_setting_is_refused(workspace, trainer):
    config = trainer.config(workspace)
    config.stage.settings.optimization.seed = None
    with pytest.raises(BadConfiguration, match=r"^spec.stages\[0\].sft.optimization.seed: is not set"):
        check(config)


def test_later_batches_are_checked_before_the_first_stage(workspace, trainer):
    config = trainer.config(workspace, dpo__optimization__globalBatchSize=12, dpo__batching="Padded")
    with pytest.raises(BadConfiguration, match=r"spec.stages\[1\].dpo.optimization.globalBatchSize: 12 cannot be divided"):
        check(config)


def test_packed_pairs_need_a_batch_that_the_processes_divide(workspace, trainer):
    check(trainer.config(workspace, dpo__optimization__globalBatchSize=12))
    config = trainer.config(workspace, dpo__optimization__globalBatchSize=13)
    with pytest.raises(BadConfiguration, match=r"spec.stages\[1\].dpo.optimization.globalBatchSize: 13 cannot be divided"):
        check(config)


def test_the_supervisor_loads_no_torch():
    program = "import sys, alignment_trainer.__main__; sys.exit('torch' in sys.modules or 'mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_an_impossible_holdout_of_a_later_stage_is_found(own_workspace, trainer):
    rows = (own_workspace / PREFERENCES).read_text().splitlines(keepends=True)
    (own_workspace / PREFERENCES).write_text(rows[0])
    with pytest.raises(BadData) as error:
        check(trainer.config(own_workspace))
    assert "spec.stages[1].dpo.holdout: would keep 16 of 1 rows out of training" in str(error.value)
