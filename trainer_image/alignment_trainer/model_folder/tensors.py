"""The tensors that a model needs, by name and shape, as its config.json decides; without torch."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from alignment_trainer.model_folder.configuration import COPY_CONFIG, size_of
from alignment_trainer.model_folder.documents import Unfit
from alignment_trainer.model_folder.families import FAMILIES, HEAD, Family
from alignment_trainer.model_folder.headers import Shape

_LAYER = "*"
_NEEDED = ("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads")
_TERM = re.compile(r"(\d*)([A-Z])")


class Wanted(NamedTuple):
    """The tensors that a model needs."""

    shapes: dict[str, Shape]
    same: tuple[frozenset[str], ...] = ()
    """Names that stand for one tensor, of which one is enough."""
    optional: frozenset[str] = frozenset()
    """Tensors that are read where a file has them."""
    split: frozenset[str] = frozenset()
    """Tensors that a file holds together with others, as one."""
    ignored: str | None = None
    """A regular expression for names of tensors that no model needs."""
    prefix: str = ""
    """What may be missing before all names of a file."""


def wanted_tensors(config: dict[str, Any]) -> Wanted | None:
    """Return the tensors of the model that a config.json describes; None if its family is not in the table."""
    family = FAMILIES.get(config["model_type"])
    if family is None:
        return None
    sizes = _sizes(config, family)
    ties = config.get("tie_word_embeddings")
    is_tied = family.ties if ties is None else bool(ties)
    return Wanted(
        shapes=dict(_shapes(family, config, sizes)),
        same=(frozenset((HEAD, family.embedding)),) if is_tied else (),
        ignored=family.ignored,
        prefix=family.prefix,
    )


def _shapes(family: Family, config: dict[str, Any], sizes: dict[str, int]) -> Iterator[tuple[str, Shape]]:
    layers = sizes["layers"]
    lines = family.tensors + "".join(added for setting, added in family.adds.items() if config.get(setting))
    for line in filter(None, map(str.split, lines.splitlines())):
        name, shape = line[0], tuple(_size(letters, sizes) for letters in line[1:])
        for layer in range(layers if _LAYER in name else 1):
            yield name.replace(_LAYER, str(layer)), shape


def _size(letters: str, sizes: dict[str, int]) -> int:
    return sum(int(times or 1) * sizes[letter] for times, letter in _TERM.findall(letters))


def _sizes(config: dict[str, Any], family: Family) -> dict[str, int]:
    for size in _NEEDED:
        if type(size_of(config, size)) is not int:
            raise Unfit(f"has a config.json without {size}; {COPY_CONFIG}")
    vocabulary, hidden, layers, heads = (int(size_of(config, size) or 0) for size in _NEEDED)
    head = size_of(config, "head_dim") or family.defaults.get("head_dim") or hidden // heads
    key_heads = size_of(config, "num_key_value_heads") or (
        heads if "num_key_value_heads" in config else family.defaults.get("num_key_value_heads", heads)
    )
    return {
        "layers": layers,
        "V": vocabulary,
        "D": hidden,
        "Q": heads * head,
        "K": key_heads * head,
        "H": head,
        "F": size_of(config, "intermediate_size") or 4 * hidden,
        "P": size_of(config, "max_position_embeddings") or 1024,
    }
