"""The servers of a stage: to each one connections, and one pace for all fields that name it."""

from collections.abc import Iterator
from pathlib import Path

from alignment_api.problems import Problem
from alignment_api.run_config import RunConfig
from alignment_api.spec.endpoints import Endpoint
from alignment_api.spec.parts import endpoints_of

from alignment_trainer.endpoints.dialect import SEED
from alignment_trainer.endpoints.key import access, advice_to_refused
from alignment_trainer.endpoints.pacing.pace import CONCURRENCY, Limits, Pace, Patience
from alignment_trainer.endpoints.question import Server
from alignment_trainer.endpoints.wire import Wire
from alignment_trainer.workspace.stage_warnings import warn

_Identity = tuple[str, str, str]


def servers_of(config: RunConfig) -> list[Server]:
    """List the servers that a stage's settings name."""
    stage = f"spec.stages[{config.stage_index}]"
    return [Server(f"{stage}.{field}", endpoint) for field, endpoint in endpoints_of(config.stage)]


class Servers:
    """Connections and paces, each made when it is first needed."""

    def __init__(self, config: RunConfig, patience: Patience) -> None:
        self._config, self._patience = config, patience
        self._endpoints = [endpoint for _, endpoint in endpoints_of(config.stage)]
        self._wires: dict[str, Wire] = {}
        self._paces: dict[_Identity, Pace] = {}
        self._checked: set[str] = set()

    def wire(self, server: Server) -> Wire:
        """Return the connections of a field's server; its key is read now."""
        if server.field not in self._wires:
            self._wires[server.field] = Wire(server, access(server.endpoint, server.field, self._config.paths))
        return self._wires[server.field]

    def pace(self, server: Server) -> Pace:
        """Return the pace of a server: fields that name the same model and key share it, with the lowest of their limits."""
        identity = _identity(server.endpoint)
        if identity not in self._paces:
            same = [endpoint for endpoint in (*self._endpoints, server.endpoint) if _identity(endpoint) == identity]
            self._paces[identity] = Pace(server.endpoint.base_url, _lowest(same), self._patience)
        return self._paces[identity]

    def advice_to_refused(self, server: Server) -> str:
        """Return what to do if a server refuses the key of a field, or demands one."""
        return advice_to_refused(server.endpoint, self._config.paths)

    def end(self) -> None:
        """End all waits for servers."""
        for pace in self._paces.values():
            pace.end()

    def check(self, server: Server, answered: str) -> None:
        """Warn, at its first answer, of a server that seems to answer as another model, or that takes no seed."""
        if server.field in self._checked:
            return
        self._checked.add(server.field)
        warnings = [*_of_model(server, answered), *_of_seed(server, self.wire(server))]
        if warnings:
            warn(Path(self._config.paths.stage), warnings)

    async def close(self) -> None:
        """Close all connections."""
        for wire in self._wires.values():
            await wire.close()


def _of_model(server: Server, answered: str) -> Iterator[Problem]:
    """Yield that the names differ; many servers add a date or a folder to the name, or leave it out."""
    asked = server.endpoint.model
    if answered and asked.lower() not in answered.lower() and answered.lower() not in asked.lower():
        sentence = f"the server was asked for {asked!r} and says that {answered[:100]!r} answered; check its name"
        yield Problem(f"{server.field}.model", sentence)


def _of_seed(server: Server, wire: Wire) -> Iterator[Problem]:
    if SEED in wire.refused:
        sentence = (
            f"{server.endpoint.base_url} takes no seed, and is asked without one; an answer that is paid again may be another one"
        )
        yield Problem(server.field, sentence)


def _identity(endpoint: Endpoint) -> _Identity:
    secret = endpoint.api_key_secret
    return endpoint.base_url.rstrip("/"), endpoint.model, f"{secret.name}/{secret.key}" if secret else ""


def _lowest(endpoints: list[Endpoint]) -> Limits:
    return Limits(
        _minimum([endpoint.concurrency for endpoint in endpoints]) or CONCURRENCY,
        _minimum([endpoint.requests_per_minute for endpoint in endpoints]),
        _minimum([endpoint.tokens_per_minute for endpoint in endpoints]),
    )


def _minimum(values: list[int | None]) -> int | None:
    return min((value for value in values if value is not None), default=None)
