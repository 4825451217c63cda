"""The strategies of one account's deployments: each deployment's in a process of its own."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.engine.runtime import Runtime
from app.hosting.catalogue import HostedCatalogue
from app.hosting.host import Session
from app.hosting.remote import RemotePanelStrategy, RemoteStrategy
from app.strategies.base import BaseStrategy
from app.strategies.catalog import Catalogue

_encode = msgspec.json.Encoder(order="sorted").encode


class Deployed:
    """Makes strategies for an engine, which may not wait: users' ones are made before it asks."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._hosted = catalogue if isinstance(catalogue, HostedCatalogue) else None
        self._ready: dict[bytes, list[BaseStrategy]] = {}
        self._sessions: list[Session] = []

    @property
    def is_used(self) -> bool:
        """Whether it has processes."""
        return bool(self._sessions)

    def make(self, name: str, parameters: Mapping[str, Any]) -> BaseStrategy:
        """The engine's factory: what was prepared, else made now. Raises as `Catalogue.make`."""
        waiting = self._ready.get(_key(name, parameters))
        if waiting:
            return waiting.pop(0)
        made = self._catalogue.make(name, parameters)
        self._sessions += _sessions_of([made])
        return made

    def prepare(
        self,
        name: str,
        parameters: Mapping[str, Any],
        symbols: Sequence[str],
        timeframe: Timeframe,
    ) -> BaseStrategy:
        """Make what the engine will ask for when it starts this deployment; the first of them.

        Waits for another process. Raises NotFound, InvalidInput, StrategyLost.
        """
        hosted = self._hosted
        if hosted is None or hosted.is_ours(name):
            return self._catalogue.make(name, parameters)
        first = hosted.make(name, parameters)
        assert isinstance(first, RemoteStrategy | RemotePanelStrategy)
        session = first.link.session
        self._sessions.append(session)
        made: list[BaseStrategy] = [first]
        with suppress(InvalidInput):  # the engine says so
            first.check_deployment(tuple(symbols), timeframe)
        if isinstance(first, RemotePanelStrategy):
            first.shares(len(symbols))
        else:
            made += [hosted.make_in(session, name, parameters) for _ in symbols[1:]]
        self._ready.setdefault(_key(name, parameters), []).extend(made)
        return first

    def sweep(self, running: Iterable[Runtime]) -> None:
        """Between two steps: end the processes of deployments that do not run any more."""
        self._ready.clear()
        used = {
            id(session) for runtime in running for session in _sessions_of(runtime.every_strategy)
        }
        for session in self._sessions:
            if id(session) not in used:
                session.end()
        self._sessions = [session for session in self._sessions if id(session) in used]

    def close(self) -> None:
        """End all of them."""
        self.sweep(())


def _sessions_of(strategies: Iterable[BaseStrategy]) -> Iterator[Session]:
    for one in strategies:
        if isinstance(one, RemoteStrategy | RemotePanelStrategy):
            yield one.link.session


def _key(name: str, parameters: Mapping[str, Any]) -> bytes:
    return _encode([name, dict(parameters)])
