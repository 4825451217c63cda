"""Who serves which symbol in a chain of providers, and whose connection must be made anew."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime

from app.core.clock import Clock
from app.core.errors import TransientError
from app.core.live import LiveOptions
from app.core.logging import get_logger
from app.ingest.hours import Hours
from app.ingest.link import Link, LinkState

log = get_logger("trading")


class Chain:
    """The best provider first. Looks at links and interrupts them; it never connects."""

    def __init__(
        self,
        links: Sequence[Link],
        options: LiveOptions,
        hours: Hours,
        clock: Clock,
        symbols: Iterable[str] = (),
    ) -> None:
        self._links = links
        self._options = options
        self._hours = hours
        self._clock = clock
        self._symbols = tuple(symbols)

    def is_open(self, at: datetime) -> bool:
        """Whether connections are wanted at this hour."""
        return self._hours.is_open(at)

    def wanted(self, link: Link) -> frozenset[str]:
        """Symbols that no better provider serves."""
        now, patience = self._clock.monotonic(), self._options.failover_seconds
        better = self._links[: link.place]
        return frozenset(
            symbol
            for symbol in self._symbols
            if symbol not in link.unknown
            and not any(other.serves(symbol, now, patience) for other in better)
        )

    def judge(self, link: Link, at: datetime) -> None:
        """Interrupt a connection that is silent, not needed any more, or lacks a symbol."""
        now = self._clock.monotonic()
        if link.reading is None or link.reading.done():
            return
        if not self._hours.is_open(at):
            link.interrupt(None)
            return
        quiet = 0.0 if link.is_taking else now - link.last_item
        if self._hours.is_trading(at) and quiet > self._options.silent_seconds + link.delay_seconds:
            link.interrupt(f"{link.name} has been silent for {quiet:.0f} s.")
            return
        if self._hours.is_extended(at) and quiet > self._longest_quiet(link):
            # most likely nobody trades; if it is mute, its history has what it did not say
            log.info("feed_renewed", feed=link.name, quiet_seconds=round(quiet))
            link.interrupt(None)
            return
        if link.failed_at is not None and self._has_settled(link, now):
            link.failed_at, link.failures = None, 0
        self._find_silent(link, at)
        wanted = self.wanted(link)
        if not wanted or wanted - link.subscribed:
            link.interrupt(None)

    def _longest_quiet(self, link: Link) -> float:
        return self._options.symbol_silent_seconds + link.delay_seconds

    def _has_settled(self, link: Link, now: float) -> bool:
        return link.state is LinkState.UP and now - link.began > self._options.settle_seconds

    def _find_silent(self, link: Link, at: datetime) -> None:
        """Symbols without a bar for long although the connection lives."""
        limit = self._longest_quiet(link)
        if link.state is not LinkState.UP or self._hours.trading_seconds(at) < limit:
            return
        now = self._clock.monotonic()
        for symbol in link.subscribed - link.silent:
            if now - max(link.heard.get(symbol, 0.0), link.began) > limit:
                link.silent.add(symbol)
                log.warning("symbol_silent", feed=link.name, symbol=symbol, seconds=limit)


def ending(link: Link, reading: "asyncio.Task[None]") -> Exception | None:
    """Why a connection ended; None when we ended it without a complaint."""
    if reading.cancelled():
        return None if link.why is None else TransientError(link.why, api_name=link.name)
    try:
        reading.result()
    except Exception as error:  # noqa: BLE001 - an adapter may fail in any way
        return error
    return TransientError("The connection ended.", api_name=link.name)
