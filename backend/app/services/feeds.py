"""Sources of market data: what each needs, and what its live connections are doing."""

from typing import Final

import msgspec
from pydantic import SecretStr

from app.core.options import Options
from app.domain.users import Caller
from app.repositories import feed_states
from app.repositories.paging import Db, Row

_GONE_SECONDS: Final = 30.0
"A state that is older was written by a process that is gone."


class Keys(Options):
    """Keys of vendors, without their adapters: those load libraries that take a second each."""

    databento_api_key: SecretStr | None = None
    alpaca_api_key: SecretStr | None = None
    alpaca_secret_key: SecretStr | None = None
    twelve_data_api_key: SecretStr | None = None


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A provider as people know it; `keys` are fields of `Keys`."""

    name: str
    title: str
    gives: str
    keys: tuple[str, ...] = ()
    where: str | None = None
    "Where a person gets the key."
    is_local: bool = False
    "Reads files or makes prices: asks nobody."


SOURCES: Final = (
    Source(
        name="databento",
        title="Databento",
        gives="History and live: prints, quotes, bars, US options",
        keys=("databento_api_key",),
        where="https://databento.com/portal/keys",
    ),
    Source(
        name="alpaca",
        title="Alpaca",
        gives="History and live: prints, quotes, bars, option chains",
        keys=("alpaca_api_key", "alpaca_secret_key"),
        where="https://app.alpaca.markets",
    ),
    Source(
        name="twelve_data",
        title="Twelve Data",
        gives="History and live prices; 8 credits a minute on the free plan",
        keys=("twelve_data_api_key",),
        where="https://twelvedata.com/account/api-keys",
    ),
    Source(
        name="ibkr",
        title="Interactive Brokers",
        gives="History and live prices through TWS or IB Gateway at IBKR_HOST and IBKR_PORT",
    ),
    Source(
        name="yfinance",
        title="Yahoo Finance",
        gives="History, and bars by asking again and again; no key",
    ),
    Source(name="csv", title="Files", gives="CSV, Parquet and DBN, imported here", is_local=True),
    Source(name="replay", title="Replay", gives="Stored bars again, at any speed", is_local=True),
    Source(
        name="simulator", title="Simulator", gives="A made-up market, marked as such", is_local=True
    ),
)


async def listed(db: Db, caller: Caller) -> list[Row]:
    """Every source with the variables it needs and the live accounts that use it."""
    keys = Keys()
    states = [row for row in await feed_states.listed(db) if caller.may_see(row["account_id"])]
    return [
        {
            **msgspec.structs.asdict(source),
            "needs": [_need(keys, name) for name in source.keys],
            "feeds": [_feed(row) for row in states if row["provider"] == source.name],
        }
        for source in SOURCES
    ]


def _need(keys: Keys, name: str) -> Row:
    value: SecretStr | None = getattr(keys, name)
    return {"variable": name.upper(), "is_set": bool(value and value.get_secret_value())}


def _feed(row: Row) -> Row:
    report = row["report"]
    counted = {name: len(report.get(name) or ()) for name in ("symbols", "serving", "silent")}
    kept = ("reconnects", "last_item_at", "last_bar_end", "lag_seconds", "queue", "problem")
    return {
        "account_id": row["account_id"],
        "account": row["account"],
        "place": row["place"],
        "state": row["state"] if row["age_seconds"] < _GONE_SECONDS else "gone",
        **counted,
        **{name: report.get(name) for name in kept},
    }
