"""What a proof that has found nothing says of the written folder."""

from pathlib import Path

import pytest
from alignment_trainer.exporting.fresh_process import Ended
from alignment_trainer.exporting.proving.proof import failure
from alignment_trainer.failures import BrokenExport, LacksMemory


@pytest.mark.parametrize(
    ("code", "output", "kind", "sentence"),
    [
        (-9, "", LacksMemory, "was killed (signal 9), perhaps for memory; raise compute.memory"),
        (1, "torch.OutOfMemoryError: CUDA out of memory.\n", LacksMemory, "the GPU has no room for the original in 32 bit"),
        (1, "KeyError: 'lm_head'\n\n", BrokenExport, "cannot be loaded in a fresh process (KeyError: 'lm_head')"),
    ],
    ids=["killed", "no room on the GPU", "not loaded"],
)
def test_a_folder_is_broken_only_if_it_cannot_be_loaded(code, output, kind, sentence):
    found = failure(Path("model"), Ended(code, output))
    # The stage writes again what is broken.
    assert type(found) is kind
    assert sentence in str(found)
