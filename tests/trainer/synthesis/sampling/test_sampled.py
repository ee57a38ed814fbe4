"""Answers that several processes write beside each other, and that a kill may tear."""

import pytest
from alignment_trainer.endpoints.question import Answer
from alignment_trainer.failures import IncompleteAnswers
from alignment_trainer.synthesis.sampling.sampled import Said, SampledBatches

FIRST = [Said("a", Answer("One.", "stop", 3, 2)), Said("b", Answer("Tw", "length", 4, 9))]
SECOND = [Said("c", Answer('"\n\r\u2028é', "stop", 3, 2))]


def write(folder, process, said):
    with SampledBatches(folder, process) as written:
        written.append(said)
        return written.sizes()


def test_all_processes_answers_are_read_together(tmp_path):
    seen = [write(tmp_path, 0, FIRST), write(tmp_path, 1, SECOND)]
    written = SampledBatches(tmp_path, 0)
    written.await_all(seen, {"a", "b", "c"})
    assert written.read() == {one.key: one.answer for one in (*FIRST, *SECOND)}


@pytest.mark.parametrize("kept", [1, 20, -1])
def test_a_torn_batch_is_drawn_again(tmp_path, kept):
    write(tmp_path, 0, FIRST)
    file, whole = tmp_path / "process-0.jsonl", (tmp_path / "process-0.jsonl").read_bytes()
    file.write_bytes(whole + whole[:kept])
    assert SampledBatches(tmp_path, 0).known() == {"a", "b"}
    write(tmp_path, 0, SECOND)
    assert SampledBatches(tmp_path, 0).known() == {"a", "b", "c"}
    assert set(SampledBatches(tmp_path, 0).read()) == {"a", "b", "c"}


def test_a_volume_that_does_not_show_the_answers_of_others_is_refused(tmp_path):
    write(tmp_path, 0, FIRST)
    with pytest.raises(IncompleteAnswers, match=r"1 of 3 answers are missing\); mount the same ReadWriteMany"):
        SampledBatches(tmp_path, 0).await_all([{"process-1.jsonl": 10}], {"a", "b", "c"}, patience=0)
