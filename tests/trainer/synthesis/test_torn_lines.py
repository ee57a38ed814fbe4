"""What a killed attempt leaves of the last line is cut off, and only the end of the file is read for that."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from alignment_trainer.synthesis.pairs.judged import JudgedFile
from alignment_trainer.synthesis.sampling.sampled import SampledBatches

LINE = b'{"key": "k", "answers": []}' + b" " * 4000 + b"\n"


def judged(folder: Path) -> None:
    JudgedFile(folder)


def sampled(folder: Path) -> None:
    with SampledBatches(folder, 0) as batches:
        assert batches.known() == set()


OPENED: dict[str, Callable[[Path], None]] = {"judged.jsonl": judged, "process-0.jsonl": sampled}


@pytest.mark.parametrize("name", OPENED)
def test_a_large_file_is_not_held_in_memory(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(LINE * 2000 + LINE[:50])
    tracemalloc.start()
    OPENED[name](tmp_path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert file.stat().st_size == 2000 * len(LINE)
    assert most < file.stat().st_size / 4
