"""Templates of well-known models without marks, for which TRL has a template with marks."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from alignment_trainer.model_folder.chat_template import Source
from alignment_trainer.templates.source import marks_answers

_MARKED = "_training.jinja"


def with_marks(source: Source) -> Source:
    """Return the template with marks that TRL trains with, which may write other text; without one, the template as it is."""
    if isinstance(source, dict):
        return {name: _marked(text) for name, text in source.items()}
    return _marked(source)


def _marked(text: str) -> str:
    return text if marks_answers(text) else _twins().get(text, text)


@cache
def _twins() -> dict[str, str]:
    """Read TRL's templates as files: importing TRL would load torch."""
    package = find_spec("trl")
    assert package is not None and package.origin is not None
    folder = Path(package.origin).parent / "chat_templates"
    marked = {path: path.with_name(path.name.removesuffix(_MARKED) + ".jinja") for path in sorted(folder.glob(f"*{_MARKED}"))}
    return {plain.read_text("utf-8"): path.read_text("utf-8") for path, plain in marked.items()}
