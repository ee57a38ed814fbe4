"""Progress reports of a process: none before `begin`, and none for short phases."""

import mmap
import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from alignment_api.heartbeat import Activity, activity_text
from alignment_trainer.workspace import activity
from alignment_trainer.workspace.mapped_files import bytes_read


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """A stage whose process reports every few milliseconds."""
    monkeypatch.setattr(activity, "_WRITE_SECONDS", 0.02)
    monkeypatch.setattr(activity, "_PRINT_SECONDS", 0.04)
    monkeypatch.setattr(activity, "_reporter", None)
    activity.begin(tmp_path / "sft")
    return tmp_path / "sft"


def read(stage):
    return Activity.model_validate_json((stage / "activity.json").read_text())


def wait_until(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def reports(stage, **wanted):
    file = stage / "activity.json"
    return lambda: file.exists() and read(stage).model_dump(include=set(wanted)) == wanted


def test_a_phase_is_reported_while_it_lasts(stage, capfd):
    with activity.advancing("hashing weights", 10, "files") as advance:
        wait_until(reports(stage, what="hashing weights", done=0, total=10, unit="files"))
        began = read(stage).time
        advance(3)
        wait_until(reports(stage, done=3))
        moved = read(stage).time
        assert moved > began
        advance(0)
        wait_until(lambda: "hashing weights: 3 of 10 files\n" in capfd.readouterr().err)
        assert read(stage).time == moved
    assert not (stage / "activity.json").exists()


def test_a_phase_in_which_nothing_is_counted_has_a_name_alone(stage):
    with activity.working("loading libraries"):
        wait_until(reports(stage, what="loading libraries", done=None, total=None))
        assert activity_text(read(stage)) == "loading libraries"
        with activity.advancing("hashing", 3, "files"):
            wait_until(reports(stage, what="hashing", done=0))
    assert not (stage / "activity.json").exists()


def test_a_phase_that_is_handed_over_stays_until_another_process_reports(stage):
    with activity.working("checking"):
        wait_until(reports(stage, what="checking"))
    activity.hand_over("starting the processes")
    assert read(stage).what == "starting the processes"
    activity.begin(stage)
    assert not (stage / "activity.json").exists()


def test_a_short_phase_is_not_reported(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(activity, "_reporter", None)
    activity.begin(tmp_path / "sft")
    assert list(activity.counted("abc", "checking rows", 3, "rows")) == ["a", "b", "c"]
    assert not (tmp_path / "sft").exists()
    assert capfd.readouterr().err == ""


def test_the_innermost_phase_is_reported(stage):
    with activity.advancing("checking rows", None, "rows") as advance:
        advance(5)
        with activity.advancing("downloading", 100, "bytes") as inner:
            inner(200)
            wait_until(reports(stage, what="downloading", done=100))
        wait_until(reports(stage, what="checking rows", done=5, total=None))


def test_repeating_a_phase_is_no_progress(stage):
    with activity.advancing("asking the Hub", None, "files"):
        wait_until(reports(stage, what="asking the Hub"))
        first = read(stage).time
    with activity.advancing("asking the Hub", None, "files"):
        wait_until(reports(stage, what="asking the Hub"))
        assert read(stage).time == first
    with activity.advancing("loading weights", None, "bytes"):
        wait_until(reports(stage, what="loading weights"))
        assert read(stage).time > first


def test_a_process_reports_nothing_before_begin(tmp_path, monkeypatch):
    monkeypatch.setattr(activity, "_reporter", None)
    with activity.advancing("loading weights", 1, "files") as advance:
        advance(1)
    assert list(tmp_path.iterdir()) == []


def test_a_forked_process_reports_nothing(stage):
    def work():
        with activity.advancing("checking rows", 1, "rows") as advance:
            advance(1)
            time.sleep(0.1)

    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert not (stage / "activity.json").exists()


def test_the_file_of_an_earlier_attempt_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(activity, "_reporter", None)
    (tmp_path / "activity.json").write_text("{}")
    activity.begin(tmp_path)
    assert not (tmp_path / "activity.json").exists()


def test_a_file_that_cannot_be_written_is_reported_once_and_the_stage_continues(stage, capfd):
    stage.write_text("no folder")
    printed = ""

    def tells_three():
        nonlocal printed
        printed += capfd.readouterr().err
        return "hashing weights: 3 of 10 files" in printed

    with activity.advancing("hashing weights", 10, "files") as advance:
        for _ in range(3):
            advance(1)
            time.sleep(0.03)
        wait_until(tells_three)
    assert printed.count("activity.json cannot be written (File exists); the stage continues") == 1


def test_bytes_that_a_library_maps_are_measured(tmp_path):
    file = tmp_path / "model 1.safetensors"
    file.write_bytes(b"x" * (1 << 20))
    read = bytes_read([file])

    def asked():
        # In another thread than the one that reads, as for a phase.
        with ThreadPoolExecutor(1) as other:
            return other.submit(read).result()

    assert asked() < 4096
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert mapped[0] == ord("x")
        assert 0 < asked() <= 1 << 20
        for byte in range(0, 1 << 20, 4096):
            assert mapped[byte] == ord("x")
        assert asked() == 1 << 20
    assert asked() == 1 << 20


def test_bytes_that_a_library_reads_without_mapping_are_measured(tmp_path):
    file = tmp_path / "optimizer.pt"
    file.write_bytes(b"x" * (1 << 20))
    read = bytes_read([file])
    assert len(file.read_bytes()) == 1 << 20
    assert read() == 1 << 20


def test_the_progress_of_a_library_that_reads_a_file_is_reported(stage, tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"x" * (1 << 20))
    whole = {"what": "loading weights", "done": 1 << 20, "total": 1 << 20, "unit": "bytes"}
    with (
        activity.reading("loading weights", [file]),
        file.open("rb") as opened,
        mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as mapped,
    ):
        assert len(mapped.read()) == 1 << 20
        wait_until(reports(stage, **whole))


@pytest.mark.parametrize(
    ("done", "total", "unit", "sentence"),
    [
        (None, None, "", "hashing"),
        (3, None, "rows", "hashing: 3 rows"),
        (3, 10, "rows", "hashing: 3 of 10 rows"),
        (3_200_000_000, 15_000_000_000, "bytes", "hashing: 3.2 of 15.0 GB"),
        (4_000_000, None, "bytes", "hashing: 0.004 GB"),
    ],
)
def test_activities_are_written_for_people(done, total, unit, sentence):
    assert activity_text(Activity(what="hashing", done=done, total=total, unit=unit, time=datetime.now(UTC))) == sentence
