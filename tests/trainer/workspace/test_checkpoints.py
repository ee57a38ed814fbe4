import shutil
import threading

import pytest
from alignment_trainer.failures import IncompleteCheckpoint, NoUsableCheckpoint
from alignment_trainer.workspace.checkpoints import (
    Saved,
    await_all,
    commit,
    newest_step,
    newest_verified,
    prune,
    saved_of,
    sizes_of,
    staging_folder,
)
from alignment_trainer.workspace.stage_folder import clear_unfinished


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


def test_without_checkpoints_training_starts_from_the_beginning(tmp_path):
    assert newest_verified(tmp_path) is None
    assert newest_step(tmp_path) is None


def test_the_newest_checkpoint_is_chosen_by_number_not_by_name(tmp_path):
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
        (flip, "shards/optimizer.pt was changed after it was saved"),
        (drop, "shards/optimizer.pt is missing"),
        (lose_manifest, "its manifest.json is missing or broken"),
        (break_manifest, "its manifest.json is missing or broken"),
    ],
)
def test_a_damaged_checkpoint_is_skipped_for_an_older_one(tmp_path, capsys, damage, reason):
    save(tmp_path, 10)
    damage(save(tmp_path, 20))
    assert newest_verified(tmp_path).step == 10
    assert f"step-20 is skipped: {reason}" in capsys.readouterr().err


def test_a_flipped_bit_in_a_manifest_never_changes_the_checkpoint_that_is_found(tmp_path, capsys):
    save(tmp_path, 10)
    manifest = save(tmp_path, 20) / "manifest.json"
    whole = manifest.read_bytes()
    skipped = 0
    for place in range(len(whole)):
        for bit in range(8):
            manifest.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
            found = newest_verified(tmp_path)
            assert (found.step, found.world_size, found.is_last) in [(10, 2, False), (20, 2, False)], (place, bit)
            skipped += found.step == 10
    # A flipped bit may turn white space into other white space, which changes nothing.
    assert skipped > 0.98 * 8 * len(whole)
    assert "Traceback" not in capsys.readouterr().err


def test_damaged_checkpoints_never_lead_to_a_start_from_the_beginning(tmp_path):
    truncate(save(tmp_path, 10))
    drop(save(tmp_path, 20))
    with pytest.raises(NoUsableCheckpoint, match=r"none of the 2 checkpoints in .* is complete"):
        newest_verified(tmp_path)


def write_states(folder):
    folder.mkdir(parents=True)
    for name in ("rng_state_0.pth", "rng_state_1.pth"):
        (folder / name).write_bytes(b"state")


@pytest.mark.parametrize(
    ("there", "seen_by_the_other"),
    [
        ({"rng_state_0.pth", "rng_state_1.pth"}, {"rng_state_0.pth": 5, "rng_state_1.pth": 5}),
        ({"rng_state_0.pth", "rng_state_1.pth"}, {"rng_state_0.pth": 2, "rng_state_1.pth": 5}),
    ],
    ids=["all", "an old size of a file of another"],
)
def test_files_that_all_processes_see_become_a_checkpoint(tmp_path, there, seen_by_the_other):
    write_states(tmp_path / "staged")
    assert sizes_of(tmp_path / "staged").keys() == there
    await_all(tmp_path / "staged", [sizes_of(tmp_path / "staged"), seen_by_the_other], patience_seconds=0)


@pytest.mark.parametrize(
    "seen_by_the_other",
    [{"global_step5/shard_1.pt": 9}, {"rng_state_1.pth": 6}],
    ids=["missing here", "shorter here"],
)
def test_a_file_that_rank_0_never_sees_ends_the_attempt(tmp_path, seen_by_the_other):
    write_states(tmp_path / "staged")
    (name,) = seen_by_the_other
    with pytest.raises(IncompleteCheckpoint, match=rf"another process wrote {name}, .* \(1 such files\); mount the same"):
        await_all(tmp_path / "staged", [sizes_of(tmp_path / "staged"), seen_by_the_other], patience_seconds=0)


def test_a_file_that_appears_late_is_waited_for(tmp_path):
    write_states(tmp_path / "staged")
    late = tmp_path / "staged" / "late.pt"
    writer = threading.Timer(0.3, late.write_bytes, [b"123"])
    writer.start()
    await_all(tmp_path / "staged", [{"late.pt": 3}], patience_seconds=30)
    writer.join()
    assert sizes_of(tmp_path / "staged")["late.pt"] == 3


def test_an_interrupted_save_does_not_count(tmp_path):
    save(tmp_path, 10)
    (staging_folder(tmp_path) / "checkpoint-20").mkdir(parents=True)
    assert newest_verified(tmp_path).step == 10


def test_a_step_that_is_saved_again_replaces_the_damaged_checkpoint(tmp_path):
    truncate(save(tmp_path, 10))
    save(tmp_path, 10)
    assert newest_verified(tmp_path).step == 10


@pytest.mark.parametrize(
    ("last_good_step", "kept"),
    [(20, {15, 20}), (17, {15, 20}), (12, {10, 15, 20}), (3, {15, 20})],
)
def test_the_newest_checkpoints_and_the_newest_good_one_are_kept(tmp_path, last_good_step, kept):
    for step in (5, 10, 15, 20):
        save(tmp_path, step)
    prune(tmp_path, keep=2, last_good_step=last_good_step)
    assert {folder.name for folder in (tmp_path / "checkpoints").glob("step-*")} == {f"step-{step}" for step in kept}


def test_what_is_saved_is_known_without_verifying_it(tmp_path):
    assert saved_of(tmp_path) == Saved(0, 0, None)
    save(tmp_path, 10)
    newest = save(tmp_path, 20)
    assert saved_of(tmp_path) == Saved(2, 20, 30)
    break_manifest(newest)
    assert saved_of(tmp_path) == Saved(2, 20, None)


def test_what_is_not_whole_is_removed_and_what_is_whole_stays(tmp_path):
    whole = [save(tmp_path, 10), tmp_path / "data", tmp_path / "model"]
    for folder in (*whole[1:], tmp_path / ".data", tmp_path / ".model", staging_folder(tmp_path) / "checkpoint-20"):
        folder.mkdir(parents=True)
        (folder / "part").write_bytes(bytes(100))
    clear_unfinished(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_dir() and path.name != "shards") == sorted(
        [tmp_path / "checkpoints", *whole]
    )
