"""The catalogue of the trading process: built-in strategies here, users' files in their own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from app.core.errors import StrategyLost
from app.core.strategies import StrategyOptions
from app.hosting import messages, remote
from app.hosting.host import Session, StrategyHost
from app.strategies.base import BaseStrategy
from app.strategies.catalog import Catalogue, Description
from app.strategies.loading import files_in


class HostedCatalogue(Catalogue):
    """No line of a user's file runs in this process; what files offer is asked by `look`.

    Its calls may wait for another process: those about users' strategies belong into a thread.
    """

    def __init__(self, folders: Sequence[Path], options: StrategyOptions) -> None:
        super().__init__()
        self.host = StrategyHost(folders, options)
        self._offers: dict[str, Description] = {}
        self._wrong: dict[str, str] = {}

    def look(self) -> None:
        """Ask what the files offer now. One that never ends hides the others, and is told."""
        self._offers, self._wrong = {}, {}
        if not any(files_in(folder) for folder in self.host.folders):
            return
        try:
            session = self.host.session()
            told = session.call(messages.Describe(), self.host.options.start_seconds)
            session.end()
        except StrategyLost as error:
            self._wrong = {str(folder): str(error) for folder in self.host.folders}
            return
        found = msgspec.convert(told["strategies"], list[Description])
        self._offers = {one.name: one for one in found if not self.is_ours(one.name)}
        self._wrong = dict(told["problems"])

    def is_ours(self, name: str) -> bool:
        """Whether it is built in or installed, and so runs in this process."""
        return name in super().names()

    def names(self) -> list[str]:
        return sorted({*super().names(), *self._offers})

    @property
    def problems(self) -> dict[str, str]:
        return {**super().problems, **self._wrong}

    def describe(self, name: str) -> Description:
        return self._offers[name] if name in self._offers else super().describe(name)

    def describe_all(self) -> list[Description]:
        return [self.describe(name) for name in self.names()]

    def make(self, name: str, parameters: Mapping[str, object]) -> BaseStrategy:
        """As `Catalogue.make`; a user's one gets a process. Raises StrategyLost, too."""
        if self.is_ours(name):
            return super().make(name, parameters)
        if not any(files_in(folder) for folder in self.host.folders):
            return super().make(name, parameters)  # raises NotFound with what there is
        session = self.host.session()
        try:
            return self.make_in(session, name, parameters)
        except Exception:
            session.end()
            raise

    def make_in(
        self, session: Session, name: str, parameters: Mapping[str, Any]
    ) -> remote.RemoteStrategy | remote.RemotePanelStrategy:
        """A user's strategy in a process that is there."""
        options = self.host.options
        times = options.start_seconds, options.silence_seconds
        return remote.make(session, name, parameters, *times)

    def close(self) -> None:
        """End every process."""
        self.host.close()
