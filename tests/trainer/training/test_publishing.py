"""Publishing a folder reports how much is done, and leaves the complete folder under its name."""

from contextlib import contextmanager

import torch
from alignment_trainer.training import publishing
from safetensors.torch import save_file


def test_publishing_reports_copied_and_flushed_bytes(tmp_path, monkeypatch):
    reported = []

    @contextmanager
    def record(what, total, unit):
        done = []
        yield done.append
        reported.append((what, total, unit, sum(done)))

    monkeypatch.setattr(publishing, "advancing", record)
    source = tmp_path / "step-8"
    source.mkdir()
    save_file({"weight": torch.ones(8)}, source / "model.safetensors")
    (source / "config.json").write_text("{}")
    size = sum(path.stat().st_size for path in source.iterdir())
    publishing.publish_folder(
        tmp_path / "model", lambda folder: publishing.link_files(source, folder, ("*.safetensors", "config.json"))
    )
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["config.json", "model.safetensors"]
    assert reported == [
        ("publishing step-8", size, "bytes", size),
        ("flushing the model to disk", size, "bytes", size),
    ]


def test_templates_for_tools_are_published_in_their_folder(tmp_path):
    source = tmp_path / "checkpoint"
    (source / "additional_chat_templates").mkdir(parents=True)
    (source / "chat_template.jinja").write_text("plain")
    (source / "additional_chat_templates" / "tool_use.jinja").write_text("with tools")
    publishing.publish_folder(
        tmp_path / "model",
        lambda folder: publishing.link_files(source, folder, (*publishing._MODEL_FILES, *publishing._TOKENIZER_FILES)),
    )
    assert {str(path.relative_to(tmp_path / "model")): path.read_text() for path in (tmp_path / "model").rglob("*.jinja")} == {
        "chat_template.jinja": "plain",
        "additional_chat_templates/tool_use.jinja": "with tools",
    }
