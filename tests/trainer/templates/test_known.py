from pathlib import Path
from types import SimpleNamespace

import pytest
import trl
from alignment_trainer.templates.known import with_marks
from alignment_trainer.templates.named import NAMED
from template_families import FAMILIES
from trl import chat_template_utils

FOLDER = Path(trl.__file__).parent / "chat_templates"
TRLS = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.jinja"))}


@pytest.mark.parametrize("name", TRLS)
def test_the_marks_are_those_that_trl_trains_with(name, monkeypatch):
    # Whether a template has to be replaced is another question, for which TRL writes dialogues with it.
    monkeypatch.setattr(chat_template_utils, "supports_tool_calling", lambda _: False)
    try:
        expected = chat_template_utils.get_training_chat_template(SimpleNamespace(chat_template=TRLS[name]))
    except ValueError:
        expected = None
    assert with_marks(TRLS[name]) == (expected or TRLS[name])


def test_each_of_several_templates_is_looked_up():
    several = {"default": TRLS["qwen3"], "tool_use": TRLS["llama3"], "own": FAMILIES["names in words"].template, **NAMED}
    assert with_marks(several) == {
        **several,
        "default": TRLS["qwen3_training"],
        "tool_use": TRLS["llama3_training"],
    }
