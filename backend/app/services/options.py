"""Option chains as people and programs read them: of one stock, narrowed, a page at a time."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import asyncpg
import msgspec
import numpy as np
import orjson

from app.core.clock import Clock, from_ns
from app.core.errors import NotFound
from app.domain.deployments import LIVE_DATASET
from app.domain.options import OptionType
from app.marketdata.cache import Kind, MarketCache
from app.marketdata.option_chain import NUMBERS, Document, expiries
from app.repositories import options_data, stocks
from app.repositories.options_data import OptionsData
from app.repositories.paging import Row, bad_cursor, decode_cursor, encode_cursor

_TEXTS: Final = ("symbol", "expiry", "strike", "type")
_NEAREST: Final = 3
"Expiries that are named when the one asked for is not there."
Key = tuple[str, Decimal, str]


class ChainWish(msgspec.Struct, frozen=True, kw_only=True):
    """Which contracts of a chain; None leaves a side open."""

    expiry: date | None = None
    option_type: OptionType | None = None
    min_strike: Decimal | None = None
    max_strike: Decimal | None = None
    at: datetime | None = None
    "The chain as it stood then; None: the newest."
    limit: int = 500
    cursor: str | None = None


class ChainPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some contracts, sorted by expiry and strike, calls first, and what is true of the whole."""

    symbol: str
    dataset: str
    at: datetime | None
    "The newest quote of the whole chain."
    underlying_price: float | None
    expiries: list[date]
    datasets: list[str]
    "Every data set that has a chain on the stock."
    items: list[Row]
    next_cursor: str | None


class Options:
    """Reads chains, through the cache where they are the newest."""

    def __init__(self, pool: asyncpg.Pool, cache: MarketCache | None, clock: Clock) -> None:
        self._pool = pool
        self._cache = cache
        self._clock = clock

    async def chain(self, symbol: str, dataset: str, wish: ChainWish) -> ChainPage:
        """A page of the chain on a stock; empty where the data set has none.

        Raises NotFound for an unknown stock or expiry with the nearest, InvalidInput for a cursor
        that is not ours.
        """
        stock = await stocks.get(self._pool, symbol)
        document = await self._document(dataset, stock.id, stock.symbol, wish.at)
        known = expiries(document)
        if wish.expiry is not None and known and wish.expiry not in known:
            raise _no_expiry(stock.symbol, wish.expiry, known)
        chosen = _chosen(document, wish)
        page = chosen[: wish.limit]
        more = len(chosen) > wish.limit
        return ChainPage(
            symbol=stock.symbol,
            dataset=dataset,
            at=None if document["at"] is None else from_ns(document["at"]),
            underlying_price=_underlying_price(document),
            expiries=known,
            datasets=await options_data.datasets_of(self._pool, stock.id),
            items=_rows(document, page),
            next_cursor=encode_cursor(_key(document, page[-1])) if more else None,
        )

    async def _document(
        self, dataset: str, stock_id: int, symbol: str, at: datetime | None
    ) -> Document:
        async def load() -> bytes | None:
            since = self._clock.now().date() if dataset == LIVE_DATASET and at is None else None
            chain = await OptionsData(self._pool, dataset).chain(stock_id, since=since, at=at)
            return chain.without_expired().document() if len(chain) else None

        if at is not None or self._cache is None:
            body = await load()
        else:
            body = await self._cache.document(Kind.OPTION_CHAIN, (dataset, symbol), load)
        found: Document = orjson.loads(body) if body else _nothing()
        return found


def _nothing() -> Document:
    return {"at": None, "quoted_at": [], **{name: [] for name in (*_TEXTS, *NUMBERS)}}


def _chosen(document: Document, wish: ChainWish) -> list[int]:
    """Positions of the contracts that are wanted, after the cursor."""
    after = _decoded(wish.cursor) if wish.cursor else None
    expiry = wish.expiry.isoformat() if wish.expiry else None
    places = [i for i, one in enumerate(document["expiry"]) if expiry in (None, one)]
    if wish.option_type is not None:
        places = [i for i in places if document["type"][i] == wish.option_type]
    if wish.min_strike is not None or wish.max_strike is not None:
        low, high = wish.min_strike or Decimal(0), wish.max_strike or Decimal("Infinity")
        places = [i for i in places if low <= Decimal(document["strike"][i]) <= high]
    if after is not None:
        places = [i for i in places if _sortable(document, i) > after]
    return places


def _sortable(document: Document, place: int) -> Key:
    expiry, strike, kind = _key(document, place)
    return expiry, Decimal(strike), kind


def _key(document: Document, place: int) -> list[str]:
    return [document[name][place] for name in ("expiry", "strike", "type")]


def _decoded(cursor: str) -> Key:
    expiry, strike, kind = decode_cursor(cursor, 3)
    try:
        return date.fromisoformat(expiry).isoformat(), Decimal(strike), kind
    except (ValueError, ArithmeticError):
        raise bad_cursor() from None


def _rows(document: Document, places: Sequence[int]) -> list[Row]:
    """Contracts as objects, `at` as text in UTC."""
    names = ("at", *_TEXTS, *NUMBERS)
    quoted = np.array(document["quoted_at"], dtype=np.int64)
    unit = "us" if (quoted % 1_000_000_000).any() else "s"
    times = quoted.astype("datetime64[ns]").astype(f"datetime64[{unit}]")
    at: list[str] = np.datetime_as_string(times, timezone="UTC").tolist()
    columns: list[list[Any]] = [at, *(document[name] for name in names[1:])]
    if len(places) < len(at):
        columns = [[column[i] for i in places] for column in columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _underlying_price(document: Document) -> float | None:
    """What the stock cost at the newest quote that knows it."""
    known = [
        (at, price)
        for at, price in zip(document["quoted_at"], document["underlying_price"], strict=True)
        if price is not None
    ]
    return max(known)[1] if known else None


def _no_expiry(symbol: str, asked: date, known: Sequence[date]) -> NotFound:
    near = sorted(known, key=lambda one: abs(one - asked))[:_NEAREST]
    return NotFound(
        f"No contract on {symbol} expires on {asked}.",
        remedy=f"The nearest are {', '.join(map(str, sorted(near)))}.",
    )
