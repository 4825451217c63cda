"""Accounts as a person reads them: day, drawdown, equity curve, limits with their use."""

import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import asyncpg
import msgspec
import numpy as np
from numpy.typing import NDArray

from app.core.clock import Clock, from_ns, to_ns
from app.domain.deployments import LIVE_DATASET, AccountMode
from app.domain.limits import Limits
from app.domain.market import DURATIONS, Timeframe
from app.domain.users import Caller
from app.repositories import account_reports, config, orders, surroundings
from app.repositories.paging import Fetch, Row, Rows

Floats = NDArray[np.float64]
Nanos = NDArray[np.int64]
ZERO: Final = Decimal(0)
_PEAK_SECONDS: Final = 15.0
_PEAK_POINTS: Final = 500


class Curve(msgspec.Struct, frozen=True):
    """An account over time, as parallel arrays; `at` in int64 nanoseconds."""

    at: Nanos
    equity: Floats
    cash: Floats
    exposure: Floats


class Accounts:
    """Reads accounts; nothing here changes them."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock, *, is_live_on: bool = False) -> None:
        """`is_live_on`: what TRADEWRIGHT_LIVE_TRADING says."""
        self._pool = pool
        self._is_live_on = is_live_on
        self._clock = clock
        self._peaks: dict[int, tuple[float, Decimal]] = {}

    def listing(self, caller: Caller) -> Fetch:
        """Every account that the caller may see, completed like `get`."""
        fetch = account_reports.listing(self._pool, caller.visible)

        async def complete(limit: int, cursor: str | None) -> Rows:
            rows = await fetch(limit, cursor)
            limits = await self.limits()
            return Rows([await self._complete(row, limits) for row in rows.items], rows.next_cursor)

        return complete

    async def get(self, caller: Caller, account_id: int) -> Row:
        """One account. Raises NotFound."""
        row = await account_reports.get(self._pool, account_id, caller.visible)
        return await self._complete(row, await self.limits())

    async def limits(self) -> Limits:
        """The limits as they are stored."""
        stored = await config.values(self._pool)
        known = {field.name for field in msgspec.structs.fields(Limits)}
        return msgspec.convert(
            {key: row["value"] for key, row in stored.items() if key in known}, Limits, strict=False
        )

    async def _complete(self, row: Row, limits: Limits) -> Row:
        equity: Decimal = row["equity"]
        opening = await account_reports.opening(self._pool, row["id"], row["session_start"])
        start = row["cash"] - opening["flow"] + opening["worth"]
        day = equity - start
        peak = max(equity, await self._peak(row))
        room = equity * limits.max_portfolio_exposure - row["exposure"]
        return {
            **row,
            "initial_cash": row["starting_cash"],
            "is_simulated": row["dataset"] != LIVE_DATASET,
            "trading_state_reason": row["state_reason"] or None,
            "engine": row,
            "arming": self._arming(row),
            "buying_power": max(ZERO, min(room, row["cash"])),
            "day_pnl": day,
            "day_pnl_fraction": _ratio(day, start),
            "peak_equity": peak,
            "drawdown": _ratio(peak - equity, peak),
            "exposure_fraction": _ratio(row["exposure"], equity),
        }

    def _arming(self, row: Row) -> Row | None:
        """Whether real money may be traded; None for an account that has none."""
        if row["mode"] != AccountMode.LIVE:
            return None
        return {**row, "is_allowed": self._is_live_on, "asks_for_number": row["is_numbered"]}

    async def _peak(self, row: Row) -> Decimal:
        """Highest equity of the curve, at most a few seconds old."""
        known = self._peaks.get(row["id"])
        if known is None or time.monotonic() - known[0] > _PEAK_SECONDS:
            curve = await self._curve(row, None, None, _PEAK_POINTS)
            highest = Decimal(repr(round(float(curve.equity.max(initial=0.0)), 8)))
            known = time.monotonic(), max(highest, row["starting_cash"])
            self._peaks[row["id"]] = known
        return known[1]

    async def equity(
        self,
        caller: Caller,
        account_id: int,
        start: datetime | None,
        end: datetime | None,
        points: int,
    ) -> Curve:
        """The equity curve, at most `points` of it. Raises NotFound."""
        row = await account_reports.get(self._pool, account_id, caller.visible)
        return await self._curve(row, start, end, points)

    async def _curve(
        self, row: Row, start: datetime | None, end: datetime | None, points: int
    ) -> Curve:
        """Cash and positions from what was filled or adjusted, marked at stored closes."""
        fills = await account_reports.fills(self._pool, row["id"])
        now = row["market_at"] or self._clock.now()
        first = start or (fills[0]["at"] if fills else now - timedelta(days=1))
        last = min(end, now) if end else now
        if last <= first:
            last = first + timedelta(seconds=1)
        grid = _grid(first, last, points)
        moved = _Moves(fills)
        cash = float(row["starting_cash"]) + moved.cash_at(grid)
        value = np.zeros(len(grid))
        exposure = np.zeros(len(grid))
        timeframe = await self._timeframe(row["dataset"], moved.stocks, (last - first) / points)
        for stock in moved.stocks:
            prices = await self._prices(row["dataset"], stock, timeframe, grid, moved)
            held = moved.quantity_at(stock, grid) * prices
            value += held
            exposure += np.abs(held)
        return Curve(grid, cash + value, cash, exposure)

    async def _timeframe(self, dataset: str, stocks: Sequence[int], step: timedelta) -> Timeframe:
        """The longest stored timeframe that is no coarser than the curve."""
        stored = await account_reports.timeframes(self._pool, dataset, stocks) if stocks else set()
        fitting = [one for one in Timeframe if one in stored and DURATIONS[one] <= step]
        return max(fitting or [Timeframe.M1], key=lambda one: DURATIONS[one])

    async def _prices(
        self, dataset: str, stock: int, timeframe: Timeframe, grid: Nanos, moved: "_Moves"
    ) -> Floats:
        """Last close at or before each point; before the first bar, the first fill's price."""
        begin = from_ns(int(grid[0])) - timedelta(days=5)
        rows = await account_reports.closes(
            self._pool, dataset, stock, timeframe, begin, from_ns(int(grid[-1]))
        )
        if not rows:
            return np.full(len(grid), moved.first_price(stock))
        at = np.array([to_ns(row["at"]) for row in rows], dtype=np.int64)
        close = np.array([row["close"] for row in rows])
        place = np.searchsorted(at, grid, side="right") - 1
        return np.where(place >= 0, close[np.maximum(place, 0)], moved.first_price(stock))

    async def limit_uses(self, caller: Caller, account_id: int) -> list[Row]:
        """Each limit that can be measured now, with its use. Raises NotFound."""
        row = await self.get(caller, account_id)
        limits = await config.limits(self._pool, account_id)
        held = await account_reports.exposures(self._pool, account_id)
        equity = row["equity"]
        now = row["market_at"] or self._clock.now()
        recent = await account_reports.orders_since(
            self._pool, account_id, now - timedelta(minutes=1)
        )
        symbol, largest = _largest(held, "symbol", equity)
        sector, sectors = _largest(held, "sector", equity)
        return [
            _use(
                "max_position_size", "Largest position", limits.max_position_size, largest, symbol
            ),
            _use(
                "max_portfolio_exposure",
                "Portfolio exposure",
                limits.max_portfolio_exposure,
                row["exposure_fraction"],
            ),
            _use(
                "max_sector_exposure", "Largest sector", limits.max_sector_exposure, sectors, sector
            ),
            _use(
                "max_daily_loss",
                "Loss of the day",
                limits.max_daily_loss,
                max(ZERO, -row["day_pnl_fraction"]),
            ),
            _use("max_drawdown", "Drawdown from the peak", limits.max_drawdown, row["drawdown"]),
            _use(
                "max_concurrent_orders",
                "Open orders, all accounts",
                Decimal(limits.max_concurrent_orders),
                Decimal(
                    await orders.count_open(self._pool, account_id, protective=False)
                    + await surroundings.open_elsewhere(self._pool, account_id)
                ),
                unit="orders",
            ),
            _use(
                "max_orders_per_minute",
                "Orders in the last minute",
                Decimal(limits.max_orders_per_minute),
                Decimal(recent),
                unit="orders",
            ),
            _use(
                "max_daily_notional",
                "Money moved today",
                limits.max_daily_notional,
                await account_reports.moved_since(self._pool, account_id, row["session_start"]),
                unit="money",
            ),
            *await self._scoped_uses(account_id, held, equity),
        ]

    async def _scoped_uses(
        self, account_id: int, held: Sequence[Row], equity: Decimal
    ) -> list[dict[str, Any]]:
        """Position limits of single symbols, with their use."""
        worth = {row["symbol"]: row["value"] for row in held}
        found = []
        for scope, given in (await config.scopes(self._pool, account_id)).items():
            kind, _, symbol = scope.partition(":")
            most = given.get("max_position_size")
            if kind == "symbol" and most is not None:
                used = _ratio(abs(worth.get(symbol, ZERO)), equity)
                use = _use("max_position_size", "Position", Decimal(most), used, symbol)
                found.append({**use, "scope": scope})
        return found


class _Moves:
    """Fills as arrays: cash and quantities as steps over time."""

    def __init__(self, fills: Sequence[Row]) -> None:
        self._at = np.array([to_ns(fill["at"]) for fill in fills], dtype=np.int64)
        self._cash = np.cumsum([0.0, *(fill["cash"] for fill in fills)])
        self._stock = np.array([fill["instrument_id"] for fill in fills], dtype=np.int64)
        self._quantity = np.array([fill["quantity"] for fill in fills], dtype=np.float64)
        self._flow = np.array([fill["cash"] for fill in fills], dtype=np.float64)
        self.stocks: list[int] = sorted(set(self._stock.tolist()) - {0})

    def cash_at(self, grid: Nanos) -> Floats:
        """Sum of all cash flows up to each point."""
        flows: Floats = self._cash[np.searchsorted(self._at, grid, side="right")]
        return flows

    def quantity_at(self, stock: int, grid: Nanos) -> Floats:
        """Signed quantity held at each point."""
        mine = self._stock == stock
        held = np.cumsum(np.concatenate([[0.0], self._quantity[mine]]))
        quantities: Floats = held[np.searchsorted(self._at[mine], grid, side="right")]
        return quantities

    def first_price(self, stock: int) -> float:
        """What the first fill of a stock cost, for want of a bar."""
        index = int(np.argmax(self._stock == stock))
        quantity = self._quantity[index]
        return float(abs(self._flow[index] / quantity)) if quantity else 0.0


def _grid(first: datetime, last: datetime, points: int) -> Nanos:
    return np.linspace(to_ns(first), to_ns(last), points).astype(np.int64)


def _ratio(part: Decimal, whole: Decimal) -> Decimal:
    return round(part / whole, 8) if whole > 0 else ZERO


def _largest(held: Sequence[Row], name: str, equity: Decimal) -> tuple[str | None, Decimal]:
    """Name and share of equity of the largest group; an unknown sector is one of its own."""
    sums: dict[str, Decimal] = {}
    for row in held:
        group = row[name] or row["symbol"]
        sums[group] = sums.get(group, ZERO) + row["value"]
    if not sums:
        return None, ZERO
    group = max(sums, key=lambda one: abs(sums[one]))
    return group, _ratio(abs(sums[group]), equity)


def _use(
    name: str,
    title: str,
    limit: Decimal | None,
    value: Decimal,
    subject: str | None = None,
    unit: str = "fraction",
) -> dict[str, Any]:
    return {
        "name": name,
        "title": title,
        "limit": limit,
        "value": value,
        "use": None if limit is None else _ratio(value, limit),
        "unit": unit,
        "subject": subject,
        "scope": None,
    }
