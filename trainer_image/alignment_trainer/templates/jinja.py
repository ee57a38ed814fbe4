"""Jinja as transformers sets it up for chat templates: a sandbox with a few functions more, and blocks that mark answers."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from jinja2 import TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.runtime import Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

_LONGEST_REPETITION = 1_000_000
_LARGEST_POWER = 1_000


class Marks(Extension):
    """Remembers what the blocks between `generation` and `endgeneration` write; transformers marks answers with them."""

    tags = {"generation"}

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self._written: list[str] = []
        self._spans: list[tuple[int, int]] = []

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_remember"), [], [], body).set_lineno(line)

    @contextmanager
    def remembering(self) -> Iterator[tuple[list[str], list[tuple[int, int]]]]:
        """Begin a new text; return the list that takes its pieces as they are written, and the spans of its blocks."""
        self._written, self._spans = [], []
        yield self._written, self._spans

    def _remember(self, caller: Macro) -> str:
        text: str = caller()
        # Jinja yields each piece before the next is written, so the block begins where the pieces so far end.
        start = sum(map(len, self._written))
        self._spans.append((start, start + len(text)))
        return text


class _Sandbox(ImmutableSandboxedEnvironment):
    """A sandbox in which a template cannot fill the memory with one product; its `range` is bounded already."""

    intercepted_binops = frozenset(("*", "**"))

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Refuse a repetition or a power that no dialogue needs."""
        numbers = [side for side in (left, right) if isinstance(side, int)]
        repeated = [len(side) for side in (left, right) if isinstance(side, str | list | tuple)]
        if operator == "*" and numbers and repeated and numbers[0] * repeated[0] > _LONGEST_REPETITION:
            raise SecurityError(f"the template repeats a value {numbers[0]} times")
        if operator == "**" and numbers and max(numbers) > _LARGEST_POWER:
            raise SecurityError(f"the template computes a power of {max(numbers)}")
        return super().call_binop(context, operator, left, right)


def environment() -> ImmutableSandboxedEnvironment:
    """Return a new environment, which compiles templates as transformers does."""
    made = _Sandbox(trim_blocks=True, lstrip_blocks=True, extensions=[Marks, LoopControlExtension])
    made.filters["tojson"] = _as_json
    made.globals |= {"raise_exception": _refuse, "strftime_now": _now, "dict": _Dict(), "namespace": _Namespace}
    return made


def _as_json(value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False) -> str:
    """Write JSON; Jinja's own filter would escape it for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def _refuse(message: str) -> None:
    raise TemplateError(message)


def _now(form: str) -> str:
    return datetime.now().strftime(form)


class _Dict:
    """The built-in `dict`, without what a template could reach through the class."""

    def __call__(self, *pairs: Any, **named: Any) -> dict[Any, Any]:
        return dict(*pairs, **named)

    def fromkeys(self, *arguments: Any) -> dict[Any, Any]:
        return dict.fromkeys(*arguments)


class _Namespace(Namespace):
    """Jinja's namespace, without names that begin with an underscore, through which a template could leave the sandbox."""

    def __init__(*arguments: Any, **named: Any) -> None:
        self, *pairs = arguments
        values = dict(*pairs, **named)
        for name in values:
            _check_name(name)
        Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _check_name(name)
        super().__setitem__(name, value)


def _check_name(name: Any) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"a namespace cannot have the attribute {name}")
