"""The feed of one account: which symbols it follows, from where on, and what becomes of it."""

from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import partial
from typing import Final

from app.bootstrap import Parts
from app.core import clock
from app.core.errors import Unavailable
from app.core.logging import get_logger
from app.domain.instruments import InstrumentKind
from app.domain.market import Timeframe
from app.engine.engine import Engine
from app.marketdata.calendar import TradingCalendar
from app.marketdata.slices import Moment
from app.repositories import revisions
from app.repositories.accounts import Account
from app.repositories.stock_data import StockData
from app.runner.inbox import Ended, Inbox, Position
from app.runner.live import LiveData
from app.services.ingestion import FRESH, Ingestion, Untold

Fed = tuple[frozenset[Timeframe], bool]
"What a feed is opened for beside symbols: timeframes, and whether extended hours are wanted."
log: Final = get_logger("trading")


class Following:
    """Feeds `inbox` with what the engine needs; begins with `attach`."""

    def __init__(
        self,
        parts: Parts,
        account: Account,
        bars: StockData,
        calendar: TradingCalendar,
        stream: str,
    ) -> None:
        self.inbox = Inbox(self._open)
        self.live: LiveData | None = None
        self._parts, self._account, self._stream = parts, account, stream
        self._bars, self._calendar = bars, calendar
        self._fed: Fed = frozenset(), False
        self._engine: Engine

    def attach(self, engine: Engine, account: Account) -> None:
        """The engine is recovered: from here on its state says what to follow, and from where."""
        self._engine, self._account = engine, account

    async def follow(self) -> None:
        """Feed what is watched, decided by, held or ordered; start anew when that changed."""
        wanted, symbols = self._wanted(), self.inbox.symbols
        fed = self._timeframes, self._engine.limits.trade_extended_hours
        is_other = fed[0] - self._fed[0] or fed[1] != self._fed[1]
        if wanted - set(symbols) or (is_other and symbols):
            symbols = tuple(sorted(wanted | set(symbols)))
            self._fed = fed
            await self.inbox.follow(symbols, self._position)
            log.info("feed_followed", account_id=self._account.id, symbols=symbols)
            if self.live is None:  # a live feed says itself when it is there
                with suppress(Unavailable):
                    self._parts.facts.feed_connected(self._name)

    def _wanted(self) -> set[str]:
        engine, book = self._engine, self._engine.book
        wanted = set(self._account.settings.symbols)
        wanted |= {symbol for symbol, _ in engine.subscriptions}
        wanted |= {order.symbol for order in engine.open_orders}
        for ledger in engine.ledgers.values():
            wanted |= {p.symbol for p in ledger.positions.values() if p.quantity}
        # Contracts have quotes, not bars: they are followed by the settings of the account.
        return {s for s in wanted if book.instrument(s).kind is not InstrumentKind.OPTION}

    async def ended(self, ended: Ended) -> bool:
        """The feed ended: begin it anew, unless it is over for good; whether it is."""
        if ended.error is None:
            self.inbox.is_over = True
            log.info("feed_over", account_id=self._account.id, feed=self._name)
            self._lost("no more bars")
            return True
        if not self.inbox.failures:  # once for each outage, not for each attempt
            self._lost(ended.error)
        await self.inbox.again(self._position)
        return False

    @property
    def _timeframes(self) -> frozenset[Timeframe]:
        """Those longer than the base that deployments decide by."""
        wanted = {timeframe for _, timeframe in self._engine.subscriptions}
        return frozenset(wanted - {self._account.settings.base})

    def _open(self, symbols: tuple[str, ...], position: Position) -> AsyncGenerator[Moment]:
        live = self.live
        longer, extended = self._timeframes, self._engine.limits.trade_extended_hours
        self._fed = longer, extended
        if live is not None:
            live.feed.extended_hours = extended
        ingestion = Ingestion(
            self._parts.provider(self._account) if live is None else live.feed,
            self._bars,
            self._parts.pool,
            self._calendar,
            publisher=self._parts.publisher,
            clock=None if live is None else clock.system,
            fresh=FRESH if live is None else live.fresh,
            untold=None if live is None else self._untold(symbols),
        )
        if live is not None:
            live.statistics = ingestion.statistics
        return ingestion.feed(
            symbols,
            self._account.settings.base,
            longer,
            after=position.after,
            open_session=position.session,
            extended_hours=extended,
        )

    def _untold(self, symbols: tuple[str, ...]) -> Untold:
        """Corrections that our journal does not tell of."""
        dataset = self._account.dataset
        return partial(revisions.untold, self._parts.pool, self._stream, dataset, symbols)

    @property
    def _position(self) -> Position:
        book = self._engine.book
        return Position(
            self._engine.slice_end or self._account.settings.start,
            book.session if book.is_open else None,
        )

    @property
    def _name(self) -> str:
        return f"{self._account.dataset} ({self._account.name})"

    def _lost(self, reason: str) -> None:
        with suppress(Unavailable):  # the journal has been away for very long
            self._parts.facts.feed_disconnected(self._name, reason)

    async def close(self) -> None:
        """End the feed, and give its providers back."""
        await self.inbox.stop()
        if self.live is not None:
            await self.live.close()
