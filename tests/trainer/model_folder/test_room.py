"""The room that a stage needs on the workspace volume: checkpoints, the published model, and what is there already."""

import json
import os
from pathlib import Path

import pytest
from alignment_trainer.failures import DiskFull
from alignment_trainer.model_folder import room
from alignment_trainer.model_folder.room import (
    Model,
    Part,
    Progress,
    check_room,
    checkpoint_bytes,
    known_start,
    parts,
    with_needs,
)
from alignment_trainer.settings.training import training_settings
from alignment_trainer.workspace.full_disk import Room

BILLION = 10**9
LORA = {"lora": {"rank": 4}}
QLORA = {**LORA, "quantization": "NF4"}
ALL, ADAPTED = Model(7 * BILLION, None, 0), Model(7 * BILLION, 10**7, 0)


def settings(trainer, sharding="None", **changes):
    gpus = {"compute__gpusPerNode": 2, "compute__processesPerNode": None, "compute__sharding": sharding}
    return training_settings(trainer.config(Path("/nowhere"), **gpus, **{f"sft__{name}": changes[name] for name in changes}))


@pytest.mark.parametrize(
    ("changes", "bytes_of_a_weight"),
    [
        # Weights in 32 bit and two means of the same size, or one; or in 8 bit.
        ({}, 12),
        ({"precision": "BFloat16"}, 12),
        ({"optimization__optimizer": "RMSprop"}, 8),
        ({"optimization__optimizer": "PagedAdamW32bit"}, 12),
        ({"optimization__optimizer": "AdamW8bit"}, 6 + 1 / 32),
    ],
)
def test_a_checkpoint_of_all_weights(trainer, changes, bytes_of_a_weight):
    assert checkpoint_bytes(ALL, settings(trainer, **changes)) == int(7 * BILLION * bytes_of_a_weight)


@pytest.mark.parametrize(
    ("sharding", "precision", "bytes_of_a_weight"),
    [
        # The model for publishing, DeepSpeed's own copy of it where the weights are not sharded, and 32-bit weights with means.
        ("ZeRO1", "BFloat16", 2 + 2 + 4 + 8),
        ("ZeRO2", "BFloat16", 2 + 2 + 4 + 8),
        ("ZeRO3", "BFloat16", 2 + 4 + 8),
        ("ZeRO2", "Float32", 4 + 4 + 4 + 8),
    ],
)
def test_a_sharded_checkpoint(trainer, sharding, precision, bytes_of_a_weight):
    assert checkpoint_bytes(ALL, settings(trainer, sharding, precision=precision)) == 7 * BILLION * bytes_of_a_weight


@pytest.mark.parametrize(("adapter", "bytes_of_a_weight"), [(LORA, 12), (QLORA, 6)])
def test_a_checkpoint_of_an_adapter_is_small(trainer, adapter, bytes_of_a_weight):
    own = settings(trainer, adapter=adapter, precision="BFloat16")
    assert checkpoint_bytes(ADAPTED, own) == 10**7 * bytes_of_a_weight


def test_each_checkpoint_has_the_files_of_the_tokenizer(trainer):
    with_files = ALL._replace(description_bytes=12_345)
    assert checkpoint_bytes(with_files, settings(trainer)) == checkpoint_bytes(ALL, settings(trainer)) + 12_345


@pytest.mark.parametrize(
    ("situation", "progress", "number"),
    [
        ("at the start: those that are kept, and the one that replaces the oldest", Progress(0, 0, 100), 3),
        ("the steps are not known", Progress(0, 0, None), 1),
        ("few steps", Progress(0, 0, 9), 2),
        ("fewer steps than between two saves", Progress(0, 0, 5), 1),
        ("one is there", Progress(1, 8, 100), 2),
        ("all are there: the newest replaces the oldest", Progress(2, 16, 100), 1),
        ("one more is there, the last before the loss rose", Progress(3, 24, 100), 1),
        ("near the end", Progress(2, 96, 100), 1),
        ("the last step is saved", Progress(2, 100, 100), 0),
    ],
)
def test_how_many_checkpoints_are_still_written(trainer, situation, progress, number):
    own = settings(trainer, checkpoint={"everySteps": 8, "keep": 2})
    found = parts(ALL, own, progress, links=True)
    assert [(part.what, part.number) for part in found] == ([("checkpoint", number)] if number else []), situation


@pytest.mark.parametrize(
    ("adapter", "links", "published"),
    [(None, True, []), (None, False, ["the model"]), (LORA, True, ["the merged model"]), (LORA, False, ["the merged model"])],
)
def test_a_model_that_is_linked_to_its_checkpoint_needs_no_room(trainer, adapter, links, published):
    own = settings(trainer, adapter=adapter, precision="BFloat16")
    found = parts(ADAPTED if adapter else ALL, own, Progress(2, 100, 100), links)
    assert [part.what for part in found] == published
    assert all(part.size == 7 * BILLION * (2 if adapter else 4) for part in found)


@pytest.fixture
def config(trainer, tmp_path):
    """A stage on a model with a million weights, which takes 24 MB of room for two checkpoints."""
    start = tmp_path / "inputs" / "tiny" / "model"
    start.mkdir(parents=True)
    (start / "config.json").write_text("{}")
    header = json.dumps({"weight": {"dtype": "F32", "shape": [1000, 1000], "data_offsets": [0, 4_000_000]}}).encode()
    (start / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(start / "model.safetensors", 8 + len(header) + 4_000_000)
    return trainer.config(tmp_path, sft__optimization__maxSteps=16, sft__checkpoint={"everySteps": 8, "keep": 2})


def test_a_stage_without_room_is_refused_with_the_sum(config, monkeypatch):
    start, workspace = known_start(config), config.paths.workspace
    monkeypatch.setattr(room, "room_of", lambda path: Room(24_000_004, 10**9))
    check_room(config, start)
    monkeypatch.setattr(room, "room_of", lambda path: Room(24_000_003, 10**9))
    with pytest.raises(DiskFull) as refused:
        check_room(config, start)
    assert str(refused.value) == (
        f"the workspace volume ({workspace}) has 24.0 MB free, and this stage still writes about 24.0 MB: "
        f"2 checkpoints of 12.0 MB; free some room or enlarge the volume; the stage tries again by itself"
    )
    with pytest.raises(DiskFull, match=r"about 26.0 MB: 2 checkpoints of 12.0 MB, its rows as tokens \(2.0 MB\);"):
        check_room(config, start, rows=Part("its rows as tokens", 2_000_000))


def test_a_volume_that_does_not_say_its_size_raises_no_failure(config, monkeypatch):
    monkeypatch.setattr(room, "room_of", lambda path: None)
    check_room(config, known_start(config))


def test_the_message_about_a_full_workspace_gets_what_the_stage_still_writes_once(config):
    full = f"the workspace volume ({config.paths.workspace}) has no room for a file"
    said = with_needs(full, config)
    assert said == f"{full}; this stage still writes about 24.0 MB: 2 checkpoints of 12.0 MB"
    assert with_needs(said, config) == said
    assert with_needs("the volume of /tmp has no room for a file", config) == "the volume of /tmp has no room for a file"


def test_a_model_of_the_hub_is_not_known_before_it_is_downloaded(trainer, tmp_path):
    assert known_start(trainer.config(tmp_path, model={"uri": "hf://team/model"})) is None


@pytest.mark.parametrize("stage", ["sft", "dpo"])
def test_the_estimate_is_that_of_a_real_checkpoint(finished, trainer, stage):
    config = trainer.config(finished, stage)
    folder = next((Path(config.paths.stage) / "checkpoints").glob("step-*"))
    real = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    unsaved = config.model_copy(update={"paths": config.paths.model_copy(update={"stage": str(finished / "not begun")})})
    (checkpoints,) = room.still_needed(unsaved, known_start(unsaved))
    assert 0.95 < checkpoints.size / real < 1.05
