"""The first start: an account with history and deployments at work, to be looked at at once."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import asyncpg
import msgspec

from app.core.config import NINE_SYMBOLS
from app.core.errors import InvalidInput, TradewrightError
from app.core.logging import get_logger
from app.domain.commands import CommandKind
from app.domain.deployments import LIVE_DATASET
from app.domain.market import Timeframe
from app.marketdata.action_files import actions_beside
from app.marketdata.batch import BarBatch, to_datetime, to_ns
from app.marketdata.calendar import trading_calendar
from app.marketdata.files import bar_files, read_bars
from app.marketdata.ports import DataProvider
from app.marketdata.shapes import Hints
from app.marketdata.validation import validate
from app.repositories import (
    accounts,
    commands,
    corporate_actions,
    deployments,
    stocks,
    strategies,
)
from app.repositories.accounts import Account, AccountSettings
from app.repositories.paging import Db
from app.repositories.stock_data import StockData
from app.strategies.catalog import Catalogue

CASH: Final = Decimal(100_000)
MINUTE_SESSIONS: Final = 20
DAILY_HISTORY: Final = timedelta(days=365)
_LOCK: Final = 7_236_503
_ACTOR: Final = "first run"
log = get_logger("trading")


class Starter(msgspec.Struct, frozen=True):
    """A deployment that a fresh account begins with."""

    name: str
    strategy: str
    symbols: tuple[str, ...]
    parameters: Mapping[str, Any] = {}


LIVE_TITLE: Final = "Live data (paper)"
STARTERS: Final = (
    Starter("Trend", "sma_cross", ("AAPL", "MSFT", "NVDA", "SPY", "QQQ")),
    Starter("Reversal", "rsi_reversion", ("AMZN", "GOOGL", "META", "AVGO")),
)


class FirstRun:
    """Creates accounts once. A second start finds them and changes nothing."""

    def __init__(self, pool: asyncpg.Pool, catalogue: Catalogue) -> None:
        self._pool = pool
        self._catalogue = catalogue

    async def fill_strategies(self) -> None:
        """Rows for what the catalogue offers, so that deployments and trades can point at them."""
        async with self._pool.acquire() as db, db.transaction():
            for name in self._catalogue.names():
                await self._strategy(db, name)

    async def simulation(self, provider: DataProvider, start: datetime) -> int | None:
        """The account "Simulation" at `start`, if there is no account at all; returns its id.

        History is stored before the account exists: a crash in between begins anew.
        """
        if await self._has_accounts():
            return None
        first = await self._store_history(provider, start)
        settings = AccountSettings(symbols=NINE_SYMBOLS, start=first)
        async with self._pool.acquire() as db, db.transaction():
            await db.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            if await db.fetchval("SELECT EXISTS (SELECT FROM accounts)"):
                return None
            account_id = await accounts.add(
                db, name="Simulation", dataset="simulated", cash=CASH, settings=settings
            )
            for starter in STARTERS:
                await self._deploy(db, account_id, starter, Timeframe.M1)
        log.info("first_run", account_id=account_id, dataset="simulated", start=str(first))
        return account_id

    async def replay(self, path: Path, symbols: Sequence[str] = ()) -> int | None:
        """The account "Replay NAME" on these files, unless it is there; returns its id if new.

        Without `symbols` it trades the largest group of files whose bars share their time.
        """
        name = path.name.partition(".")[0]
        title = f"Replay {name}"
        async with self._pool.acquire() as db:
            if await accounts.find(db, title) is not None:
                return None
        batches = together(read_all(path), symbols)
        base = batches[0].timeframe
        await self._remember_actions(path, f"replay:{name}", [one.symbol for one in batches])
        settings = AccountSettings(
            path=str(path),
            symbols=tuple(batch.symbol for batch in batches),
            base=base,
            start=to_datetime(min(int(batch.start[0]) for batch in batches)),
        )
        async with self._pool.acquire() as db, db.transaction():
            await db.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            if await accounts.find(db, title) is not None:
                return None
            for symbol in settings.symbols:
                await stocks.ensure(db, symbol)
            account_id = await accounts.add(
                db, name=title, dataset=f"replay:{name}", cash=CASH, settings=settings
            )
            starter = Starter("Trend", "sma_cross", settings.symbols, {"fast": 10, "slow": 30})
            await self._deploy(db, account_id, starter, base)
        log.info("first_run", account_id=account_id, dataset=f"replay:{name}", path=str(path))
        return account_id

    async def _remember_actions(self, path: Path, dataset: str, symbols: Sequence[str]) -> None:
        """Corporate actions of files beside those of the bars."""
        calendar = trading_calendar()
        for symbol in symbols:
            found = actions_beside(path, symbol, calendar)
            await corporate_actions.store(self._pool, dataset, found, path.name)

    async def live(
        self, feeds: Sequence[str], symbols: Sequence[str], start: datetime
    ) -> Account | None:
        """The account "Live data (paper)" from `start` on; None when it was there and is complete.

        It is there at once; `fill_live` then makes it complete, for as long as vendors take.
        """
        async with self._pool.acquire() as db, db.transaction():
            await db.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            known = await accounts.find(db, LIVE_TITLE)
            if known is not None:
                has = await db.fetchval(
                    "SELECT EXISTS (SELECT FROM deployments WHERE account_id = $1)", known.id
                )
                return None if has else known
            for symbol in symbols:
                await stocks.ensure(db, symbol)
            settings = AccountSettings(feeds=tuple(feeds), symbols=tuple(symbols), start=start)
            account_id = await accounts.add(
                db, name=LIVE_TITLE, dataset=LIVE_DATASET, cash=CASH, settings=settings
            )
        log.info("first_run", account_id=account_id, dataset=LIVE_DATASET, feeds=feeds)
        return await accounts.get(self._pool, account_id)

    async def fill_live(self, account: Account, chain: Sequence[DataProvider]) -> None:
        """History for the charts from the first provider that has it, then two deployments.

        A provider that fails is passed over, and a symbol that nobody has is left without history.
        """
        until = account.settings.start or account.clock_at
        assert until is not None, "an account of a first run has a start"
        calendar = trading_calendar(account.settings.exchange)
        past = calendar.sessions(to_ns(until - DAILY_HISTORY), to_ns(until))
        recent = to_datetime(past[-MINUTE_SESSIONS].open)
        spans = ((Timeframe.D1, until - DAILY_HISTORY), (Timeframe.M1, recent))
        for timeframe, start in spans:
            for symbol in account.settings.symbols:
                await self._fetch(chain, symbol, timeframe, start, until)
        async with self._pool.acquire() as db, db.transaction():
            for starter in STARTERS:
                traded = tuple(s for s in starter.symbols if s in account.settings.symbols)
                if traded:
                    mine = msgspec.structs.replace(starter, symbols=traded)
                    await self._deploy(db, account.id, mine, Timeframe.M1)
        log.info("first_run_filled", account_id=account.id, symbols=account.settings.symbols)

    async def _fetch(
        self,
        chain: Sequence[DataProvider],
        symbol: str,
        timeframe: Timeframe,
        start: datetime,
        until: datetime,
    ) -> None:
        bars = StockData(self._pool, LIVE_DATASET)
        for provider in chain:
            try:
                found = await provider.history(symbol, timeframe, start, until)
            except TradewrightError as error:
                log.warning("no_history", feed=provider.name, symbol=symbol, error=str(error))
                continue
            good = validate(found, trading_calendar(), now=to_ns(until)).good
            await bars.store([good], provider.name)
            return

    async def _has_accounts(self) -> bool:
        async with self._pool.acquire() as db:
            return bool(await db.fetchval("SELECT EXISTS (SELECT FROM accounts)"))

    async def _store_history(self, provider: DataProvider, start: datetime) -> datetime:
        """Minutes of the last sessions before `start` and days of a year; the last close."""
        calendar = trading_calendar()
        past = calendar.sessions(to_ns(start - DAILY_HISTORY), to_ns(start))
        recent = past[-MINUTE_SESSIONS:]
        bars = StockData(self._pool, "simulated")
        async with self._pool.acquire() as db:
            for symbol in NINE_SYMBOLS:
                await stocks.ensure(db, symbol)
        for symbol in NINE_SYMBOLS:
            minutes = await provider.history(
                symbol, Timeframe.M1, to_datetime(recent[0].open), start
            )
            days = await provider.history(symbol, Timeframe.D1, start - DAILY_HISTORY, start)
            await bars.store([minutes, days], provider.name)
        return to_datetime(recent[-1].close)

    async def _deploy(
        self, db: asyncpg.Connection, account_id: int, starter: Starter, timeframe: Timeframe
    ) -> None:
        parameters = self._catalogue.make(starter.strategy, starter.parameters).parameters
        deployment_id = await deployments.add(
            db,
            account_id=account_id,
            strategy_id=await self._strategy(db, starter.strategy),
            name=starter.name,
            parameters=parameters,
            symbols=list(starter.symbols),
            timeframe=timeframe,
            capital=None,
            created_by=None,
        )
        payload = {
            "deployment_id": deployment_id,
            "strategy": starter.strategy,
            "parameters": parameters,
            "symbols": list(starter.symbols),
            "timeframe": timeframe,
            "capital": None,
        }
        await commands.submit(db, account_id, CommandKind.DEPLOYMENT_START, payload, _ACTOR)

    async def _strategy(self, db: Db, name: str) -> int:
        said = self._catalogue.describe(name)
        return await strategies.ensure(
            db, name, said.description, said.defaults, said.parameters_schema, said.origin
        )


def read_all(path: Path) -> list[BarBatch]:
    """Every file of bars under `path`, by symbol; files without a good bar are left out."""
    calendar = trading_calendar()
    batches = [
        read_bars(file, calendar, Hints(symbol=symbol))
        for symbol, file in sorted(bar_files(path).items())
    ]
    return [batch for batch in batches if len(batch)]


def together(batches: Sequence[BarBatch], symbols: Sequence[str] = ()) -> list[BarBatch]:
    """The batches of `symbols`; without any, the group that overlaps in time and has most bars.

    Files of different years cannot trade side by side on one clock. Raises InvalidInput.
    """
    if symbols:
        wanted = {symbol.upper() for symbol in symbols}
        missing = wanted - {batch.symbol for batch in batches}
        if missing:
            raise InvalidInput(
                f"There are no bars of {', '.join(sorted(missing))} to replay.",
                field="TRADEWRIGHT_REPLAY_SYMBOLS",
                remedy=f"There are: {', '.join(batch.symbol for batch in batches)}.",
            )
        return [batch for batch in batches if batch.symbol in wanted]
    if not batches:
        raise InvalidInput("There are no bars to replay.", field="TRADEWRIGHT_REPLAY")
    return max(_groups(batches), key=lambda group: sum(len(batch) for batch in group))


def _groups(batches: Iterable[BarBatch]) -> list[list[BarBatch]]:
    """Batches of one timeframe whose spans of time touch, symbols in order."""
    groups: list[list[BarBatch]] = []
    reach: int | None = None
    for batch in sorted(batches, key=lambda one: (one.timeframe, int(one.start[0]))):
        is_new = not groups or reach is None or int(batch.start[0]) >= reach
        if is_new or groups[-1][0].timeframe is not batch.timeframe:
            groups.append([])
            reach = None
        groups[-1].append(batch)
        reach = max(reach or 0, int(batch.end[-1]))
    return [sorted(group, key=lambda one: one.symbol) for group in groups]
