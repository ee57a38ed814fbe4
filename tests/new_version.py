"""A later version of this program, as far as tests need one: its defaults or recipes say something else."""

from collections.abc import Callable, Iterator

import pytest
from alignment_api.resolving import recipes

Change = Callable[[str, str, str], None]


@pytest.fixture
def change_recipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Change]:
    """Replace text of a recipe or of the defaults from now on."""

    def change(name: str, old: str, new: str) -> None:
        known = recipes._text
        assert old in known(name), f"{name}.yaml holds no {old!r}"
        monkeypatch.setattr(recipes, "_text", lambda wanted: known(wanted).replace(old, new) if wanted == name else known(wanted))
        for kept in (recipes._json, recipes._comments):
            kept.cache_clear()

    yield change
    monkeypatch.undo()
    for kept in (recipes._json, recipes._comments):
        kept.cache_clear()
