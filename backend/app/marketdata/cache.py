"""The port of the cache: what it remembers, and how it is read through to the database."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch

LoadBars = Callable[[int], Awaitable[BarBatch]]
"Reads so many of the newest bars from the database."
LoadDocument = Callable[[], Awaitable[bytes | None]]
"Makes a document (JSON) from the database; None where there is nothing to remember."


LoadPrices = Callable[[list[str]], Awaitable[dict[str, bytes]]]
"The newest prices of these symbols from the database, as JSON; without those it knows none of."


class Kind(StrEnum):
    """What is remembered; hits and misses are counted by it."""

    QUOTE = "quote"
    BARS = "bars"
    OPTION_CHAIN = "option_chain"
    SIGNAL = "signal"


class Remembered(msgspec.Struct, frozen=True):
    """A document with its place, as it is stored to warm an empty cache."""

    dataset: str
    symbol: str
    kind: Kind
    payload: bytes
    "JSON."
    at: datetime


class MarketCache(Protocol):
    """Reads through: what is not remembered is loaded, handed out and remembered.

    Nothing raises because the cache is away: `load` answers then. What was read from the database
    before `forget`, or before a write of the publisher, is not remembered after it.
    """

    async def quotes(
        self, dataset: str, symbols: Sequence[str], load: LoadPrices
    ) -> dict[str, bytes]:
        """The newest prices, as JSON by symbol."""
        ...

    async def bars(
        self, dataset: str, symbol: str, timeframe: Timeframe, limit: int, load: LoadBars
    ) -> BarBatch:
        """The newest `limit` bars, oldest first."""
        ...

    async def document(
        self, kind: Kind, names: tuple[str, str], load: LoadDocument
    ) -> bytes | None:
        """An option chain by (dataset, underlying), or a signal by (account, symbol)."""
        ...

    async def forget(self, dataset: str, symbol: str) -> None:
        """Price, bars or chain of a symbol changed in the database."""
        ...

    async def forget_signal(self, account: str, symbol: str) -> None:
        """An account has a newer signal of a symbol."""
        ...

    async def figures(self) -> dict[str, float]:
        """Hits, misses and ratio, by kind and together, of all processes; memory in MB; whether
        it is there (`cache_available`)."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...
