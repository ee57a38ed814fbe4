"""A real file system that is full: what libraries say, what they leave, and what a stage makes of it."""

import os
import shutil
import subprocess
import sys

import pytest

PROGRAM = """
import json, shutil, sqlite3, subprocess, sys
from pathlib import Path
folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
import datasets, numpy
from alignment_api.files import write_whole
from alignment_trainer.workspace import links
from alignment_trainer.workspace.full_disk import disk_failure
from alignment_trainer.workspace.samples import Sample, Samples
from alignment_trainer.workspace.stage_folder import clear_unfinished

def arrow():
    features = datasets.Features({"ids": datasets.List(datasets.Value("int32"))})
    with datasets.arrow_writer.ArrowWriter(path=str(folder / ".data" / "train.arrow"), features=features) as writer:
        for _ in range(1000):
            writer.write({"ids": list(range(1000))})
        writer.finalize()

def database():
    connection = sqlite3.connect(folder / ".data" / "mlflow.db")
    connection.execute("create table points(value)")
    connection.executemany("insert into points values(?)", [("x" * 10000,)] * 1000)
    connection.commit()

(folder / "state.json").write_text("whole")
samples = [Sample(step=1, key="k", prompt="p", policy="x" * 50000)]
Samples(folder).append(samples)
writes = {
    "numpy": lambda: numpy.save(folder / ".data" / "values.npy", numpy.random.rand(1_000_000)),
    "arrow": arrow,
    "database": database,
    "copy": lambda: shutil.copyfile(folder.parent / "large", folder / ".data" / "copy"),
    "text": lambda: write_whole(folder / "state.json", "x" * 2_000_000),
    "samples": lambda: Samples(folder).append([Sample(step=2, key="k", prompt="p", policy="x" * 2_000_000)]),
}
for name, write in writes.items():
    (folder / ".data").mkdir()
    try:
        write()
    except Exception as error:
        print(name, type(disk_failure(error, folder)).__name__, flush=True)
    clear_unfinished(folder)
# A new attempt drops the step that is not whole, while the volume has no byte left.
with (folder / "ballast").open("wb", buffering=0) as ballast:
    try:
        while True:
            ballast.write(bytes(1000))
    except OSError:
        pass
Samples(folder)
left = [json.loads(line)["step"] for line in (folder / "samples.jsonl").read_text().splitlines()]
print(sorted(path.name for path in folder.iterdir()), (folder / "state.json").read_text(), left, links.takes_hard_links(folder))
"""


def test_a_full_volume_is_recognised_and_keeps_what_is_whole(tmp_path):
    own_mounts = ["unshare", "--user", "--map-root-user", "--mount"] if os.geteuid() else ["unshare", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*own_mounts, "mount", "-t", "tmpfs", "tmpfs", tmp_path]).returncode:
        pytest.skip("this machine lets no test mount a file system; test_full_disk.py has the same errors as a table")
    volume = tmp_path / "volume"
    volume.mkdir()
    (tmp_path / "large").write_bytes(bytes(2_000_000))
    done = subprocess.run([*own_mounts, sys.executable, "-c", PROGRAM, volume], capture_output=True, text=True, timeout=120)
    *found, left = done.stdout.splitlines()
    assert found == [f"{name} DiskFull" for name in ("numpy", "arrow", "database", "copy", "text", "samples")], done.stderr
    assert left == "['ballast', 'samples.jsonl', 'state.json'] whole [1] True"
