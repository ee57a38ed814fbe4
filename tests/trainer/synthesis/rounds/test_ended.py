"""What a round leaves when it has ended."""

import json

from accelerate import PartialState
from alignment_trainer.synthesis.rounds.ended import end_round
from alignment_trainer.synthesis.rounds.round_config import Round, Student
from alignment_trainer.synthesis.rounds.stage_course import StageCourse


def test_an_ended_round_keeps_its_model_and_pairs_and_no_checkpoints(tmp_path):
    PartialState(cpu=True)
    folder = tmp_path / "rounds/1"
    for name in ("model", "checkpoints/step-2", "reference/data"):
        (folder / name).mkdir(parents=True)
    (folder / "pairs.jsonl").write_text("")
    (folder / "pairs.json").write_text(json.dumps({"pairs": 4, "counts": {"asked": 4}}))
    (folder / "manifest.json").write_text(json.dumps({"steps": 2, "weights": {"made": "abc"}}))
    one = Round(1, folder, Student(tmp_path, "start"))
    # The second time as after a kill.
    for _ in range(2):
        assert end_round(one, [], StageCourse(tmp_path, folder, 0, 0)).made == Student(folder / "model", "abc")
    assert {path.name for path in folder.iterdir()} == {"model", "pairs.jsonl", "pairs.json", "manifest.json"}
