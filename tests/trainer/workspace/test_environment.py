import pytest
from alignment_trainer.workspace.environment import describe, read_environment, write_environment

ROWS = {"chat": {"train": 90, "held_out": 10, "cut": 3, "dropped": 1}}


@pytest.mark.parametrize(
    ("variables", "image"),
    [
        ({}, {}),
        ({"ALIGNMENT_REVISION": "0badcafe", "ALIGNMENT_VERSION": ""}, {"image.revision": "0badcafe"}),
        (
            {"ALIGNMENT_REVISION": "0badcafe", "ALIGNMENT_VERSION": "0.1.0"},
            {"image.revision": "0badcafe", "image.version": "0.1.0"},
        ),
    ],
    ids=["no image", "a revision alone", "an image"],
)
def test_hardware_image_versions_and_rows_are_recorded(tmp_path, monkeypatch, variables, image):
    for name in ("ALIGNMENT_REVISION", "ALIGNMENT_VERSION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert read_environment(tmp_path) == {}
    write_environment(tmp_path, describe(["NVIDIA H200", "NVIDIA L4", "NVIDIA H200"], ROWS))
    found = read_environment(tmp_path)
    assert found["hardware.devices"] == "2 × NVIDIA H200, 1 × NVIDIA L4"
    assert found["rows.chat.cut"] == "3"
    assert {name: value for name, value in found.items() if name.startswith("image.")} == image
