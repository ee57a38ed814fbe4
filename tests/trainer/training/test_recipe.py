"""What a recipe leaves in memory."""

import weakref

from alignment_trainer.training import recipe


class Trainer:
    """Refers to itself, as callbacks of real trainers do."""

    def __init__(self):
        self.callbacks = [self]


def test_after_the_preparation_no_cycle_holds_the_model(monkeypatch):
    built = []

    def build(config, page):
        trainer = Trainer()
        built.append(weakref.ref(trainer))
        return recipe._Built(None, None, None, trainer)

    monkeypatch.setattr(recipe, "_built", build)
    recipe.prepare(None, None)
    assert built[0]() is None
