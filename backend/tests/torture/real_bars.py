"""Real minute bars traded at loopback brokers while everything on our side is killed.

    python -m tests.torture.real_bars --kills 60 [--seconds 600] [--seed 1]

(in backend/). Each bar's open, high, low and close are printed at the broker; whoever trades buys
what rose and sells what fell, by market and limit orders, changes them and cancels them. The
brokers are processes of their own. In the end their books must be ours.
"""

import argparse
import asyncio
import gzip
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from decimal import Decimal
from itertools import cycle
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import msgspec

from app.core.clock import now
from app.core.environment import project_root
from app.db.session import opened_pool
from app.domain.orders import OPEN
from app.repositories import accounts
from app.repositories.accounts import AccountSettings
from app.torture.machine import machine
from app.torture.people import Person
from app.torture.torture import Summary, Torture
from tests.torture.brokers import AlpacaProcess, IbkrProcess, Loopback, Truth
from tests.vendors.twelve_data import TwelveDataLoopback

DATA = project_root().parent / "shared" / "data" / "equity_minute"
SYMBOLS = ("SPY", "IBM")
DAYS = ("2013-10-07", "2013-10-08", "2013-10-09", "2013-10-10")
LIMITS = {
    "stale_price_seconds": None, "max_orders_per_minute": 10_000, "max_day_trades": None,
    "max_position_size": "0.5", "max_sector_exposure": "1", "order_timeout_seconds": 30,
}  # fmt: skip
"""Bars come as fast as they can, and prices by fills alone: what counts real minutes is off."""
Prices = tuple[Decimal, Decimal, Decimal, Decimal]


def read(symbol: str) -> list[Prices]:
    """Open, high, low and close of the regular minutes."""
    with gzip.open(DATA / f"{symbol}.trade.csv.gz", "rt") as file:
        rows = [line.rstrip().split(",") for line in file if line.startswith(DAYS)]
    regular = [row for row in rows if "13:30" <= row[0][11:16] < "20:00"]
    return [(Decimal(o), Decimal(h), Decimal(lo), Decimal(c)) for _, o, h, lo, c, *_ in regular]


class Trader(Person):
    """Brings the bars to its broker, one after the other, and trades what it sees."""

    def __init__(self, pool: asyncpg.Pool, account_id: int, broker: Loopback, seed: int) -> None:
        super().__init__(pool, account_id, SYMBOLS, Random(seed))
        self.broker, self.bars = broker, 0
        self._tape: Iterator[tuple[str, Prices]] = cycle(
            [(s, bar) for both in zip(*map(read, SYMBOLS), strict=False)
             for s, bar in zip(SYMBOLS, both, strict=True)]
        )  # fmt: skip
        self._side = "buy"

    async def act(self, prices: Mapping[str, Decimal] | None = None) -> None:
        symbol, (open_, high, low, close) = next(self._tape)
        self.bars += 1
        for price in (open_, high, low, close):
            await self.broker.print(symbol, price)
        self._side = "buy" if close >= open_ else "sell"
        await super().act({symbol: close})

    def _order(self, prices: Mapping[str, Decimal]) -> dict[str, Any]:
        return super()._order(prices) | {"symbol": next(iter(prices)), "side": self._side}


async def open_account(pool: asyncpg.Pool, broker: str) -> int:
    settings = AccountSettings(
        feeds=("twelve_data",), symbols=SYMBOLS, exchange="24/7", start=now() - timedelta(minutes=1)
    )
    async with pool.acquire() as db, db.transaction():
        for key, value in LIMITS.items():
            await db.execute(
                "UPDATE system_config SET value = $2::jsonb WHERE scope = 'all' AND key = $1",
                key, json.dumps(value),
            )  # fmt: skip
        return await accounts.add(
            db, name=broker, dataset="live", cash=Decimal(0), settings=settings, broker=broker
        )


async def ours(pool: asyncpg.Pool, account_id: int) -> Truth:
    """The same of our tables."""
    held = await pool.fetch(
        "SELECT i.symbol, sum(p.quantity) AS held FROM positions p"
        " JOIN instruments i ON i.id = p.instrument_id WHERE account_id = $1 GROUP BY 1",
        account_id,
    )
    fills = await pool.fetch(
        "SELECT o.client_order_id, e.quantity FROM executions e JOIN orders o ON o.id = e.order_id"
        " WHERE e.account_id = $1 AND o.ledger <> 'external'",
        account_id,
    )
    orders = await pool.fetch(
        "SELECT client_order_id, status FROM orders WHERE account_id = $1 AND ledger <> 'external'",
        account_id,
    )
    return Truth(
        positions={row["symbol"]: row["held"] for row in held if row["held"]},
        cash=await pool.fetchval("SELECT cash FROM accounts WHERE id = $1", account_id),
        fills=sorted((row["client_order_id"], row["quantity"]) for row in fills),
        references=[row["client_order_id"] for row in orders],
        open=sorted(row["client_order_id"] for row in orders if row["status"] in OPEN),
    )


async def unlike(pool: asyncpg.Pool, traders: Sequence[Trader]) -> list[str]:
    """Where a broker's book is not ours."""
    found: list[str] = []
    for trader in traders:
        theirs, mine = await trader.broker.truth(), await ours(pool, trader.account_id)
        name = trader.broker.name
        found += [
            f"{name}: {what}: there {str(there)[-300:]}, here {str(here)[-300:]}"
            for what in ("positions", "cash", "fills", "open")
            if (there := getattr(theirs, what)) != (here := getattr(mine, what))
        ]
        if len(set(theirs.references)) != len(theirs.references):
            found.append(f"{name}: an order is there twice")
    return found


async def trade(home: Path, kills: int, seconds: float, seed: int) -> tuple[Summary, list[Trader]]:
    """Survive so many kills with both brokers, or as many as the time allows."""
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(TwelveDataLoopback())
        brokers: list[Loopback] = [IbkrProcess(), AlpacaProcess(*SYMBOLS)]
        given = dict(vendor.variables)
        for broker in brokers:
            await stack.enter_async_context(broker)
            given |= broker.variables
            for symbol in SYMBOLS:
                vendor.know(symbol)
                await broker.begin(symbol, read(symbol)[0][0])
        made = stack.enter_context(machine(home, **given))
        pool = await stack.enter_async_context(opened_pool(made.url, max_size=6))
        traders = [
            Trader(pool, await open_account(pool, broker.name), broker, seed + n)
            for n, broker in enumerate(brokers)
        ]
        torture = Torture(pool, made, traders, Random(seed), truth=lambda: unlike(pool, traders))
        torture.found.seed = seed
        return await torture.run(kills, seconds), traders


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=inf)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="tradewright-torture-") as folder:
        Path(folder).chmod(0o711)
        found, traders = asyncio.run(
            trade(Path(folder) / "home", asked.kills, asked.seconds, asked.seed)
        )
    bars = {trader.broker.name: trader.bars for trader in traders}
    sys.stdout.write(json.dumps(msgspec.to_builtins(found) | {"bars": bars}, indent=2) + "\n")
    raise SystemExit(0 if found.is_sound else 1)


if __name__ == "__main__":
    main()
