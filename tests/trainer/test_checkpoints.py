import shutil

import pytest
from alignment_trainer.checkpoints import commit, newest_step, newest_verified, prune, staging_folder
from alignment_trainer.failures import NoUsableCheckpoint


def save(stage, step, total=30):
    staged = staging_folder(stage) / f"checkpoint-{step}"
    (staged / "shards").mkdir(parents=True)
    (staged / "model.safetensors").write_bytes(bytes(range(200)) * step)
    (staged / "shards" / "optimizer.pt").write_bytes(b"moments" * step)
    return commit(staged, stage, step, total, world_size=2)


def truncate(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def flip(folder):
    path = folder / "shards" / "optimizer.pt"
    content = bytearray(path.read_bytes())
    content[5] ^= 1
    path.write_bytes(content)


def drop(folder):
    (folder / "shards" / "optimizer.pt").unlink()


def lose_manifest(folder):
    (folder / "manifest.json").unlink()


def break_manifest(folder):
    (folder / "manifest.json").write_text('{"step": 20,')


def test_nothing_there_is_a_start_from_the_beginning(tmp_path):
    assert newest_verified(tmp_path) is None
    assert newest_step(tmp_path) is None


def test_the_newest_is_taken_by_number_not_by_name(tmp_path):
    for step in (9, 10, 30):
        save(tmp_path, step)
    found = newest_verified(tmp_path)
    assert (found.step, found.world_size, found.is_last) == (30, 2, True)
    shutil.rmtree(found.folder)
    found = newest_verified(tmp_path)
    assert (found.step, found.is_last) == (10, False)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (truncate, "model.safetensors has 3999 bytes, not 4000"),
        (flip, "shards/optimizer.pt does not have the content it was saved with"),
        (drop, "shards/optimizer.pt is missing"),
        (lose_manifest, "its manifest.json is missing or broken"),
        (break_manifest, "its manifest.json is missing or broken"),
    ],
)
def test_a_damaged_one_is_skipped_for_an_older_one(tmp_path, capsys, damage, reason):
    save(tmp_path, 10)
    damage(save(tmp_path, 20))
    assert newest_verified(tmp_path).step == 10
    assert f"step-20 is skipped: {reason}" in capsys.readouterr().err


def test_never_from_the_beginning_while_there_are_checkpoints(tmp_path):
    truncate(save(tmp_path, 10))
    drop(save(tmp_path, 20))
    with pytest.raises(NoUsableCheckpoint, match=r"none of the 2 checkpoints in .* is whole"):
        newest_verified(tmp_path)


def test_a_save_that_was_interrupted_does_not_count(tmp_path):
    save(tmp_path, 10)
    (staging_folder(tmp_path) / "checkpoint-20").mkdir(parents=True)
    assert newest_verified(tmp_path).step == 10


def test_a_step_reached_again_replaces_what_was_broken(tmp_path):
    truncate(save(tmp_path, 10))
    save(tmp_path, 10)
    assert newest_verified(tmp_path).step == 10


@pytest.mark.parametrize(
    ("last_good_step", "kept"),
    [(20, {15, 20}), (17, {15, 20}), (12, {10, 15, 20}), (3, {15, 20})],
)
def test_the_newest_are_kept_and_the_newest_good_one(tmp_path, last_good_step, kept):
    for step in (5, 10, 15, 20):
        save(tmp_path, step)
    prune(tmp_path, keep=2, last_good_step=last_good_step)
    assert {folder.name for folder in (tmp_path / "checkpoints").glob("step-*")} == {f"step-{step}" for step in kept}
