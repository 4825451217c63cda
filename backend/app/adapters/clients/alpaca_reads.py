"""What Alpaca's trading address tells when asked: orders, fills, positions, the account."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from app.adapters.clients.alpaca import AlpacaSession
from app.adapters.clients.alpaca_chains import Chains
from app.adapters.clients.alpaca_orders import (
    NAME,
    AccountRow,
    AssetRow,
    FillRow,
    OrderRow,
    PositionRow,
    broker_order,
    execution,
)
from app.adapters.clients.http import Parameters
from app.core.errors import BrokerUnavailable, NotFound
from app.domain.orders import BrokerOrder, foreign_id
from app.domain.ports import BrokerBook

ORDERS_PAGE: Final = 500
FILLS_PAGE: Final = 100
"Rows of a page; the most that Alpaca allows, as above."
MOST_TRIES: Final = 5
"How often positions and cash are read until no fill came in between."
OVERLAP: Final = timedelta(seconds=1)
"Times are cut to different precisions in different answers: rather read twice than miss one."
_TICK: Final = timedelta(microseconds=1)


class Reads:
    """Questions only; they are asked again where no answer came."""

    def __init__(self, session: AlpacaSession) -> None:
        self._http = session.trading

    async def account(self) -> AccountRow:
        return await self._http.get("/v2/account", AccountRow)

    async def asset(self, symbol: str) -> AssetRow:
        """Raises NotFound."""
        return await self._http.get(f"/v2/assets/{symbol}", AssetRow)

    async def order(self, order_id: str) -> OrderRow:
        """By Alpaca's id. Raises NotFound."""
        return await self._http.get(f"/v2/orders/{order_id}", OrderRow)

    async def by_client_id(self, client_order_id: str) -> OrderRow:
        """Raises NotFound."""
        asked = {"client_order_id": client_order_id}
        return await self._http.get("/v2/orders:by_client_order_id", OrderRow, asked)

    async def orders(self, status: str, after: datetime | None = None) -> list[OrderRow]:
        """All `open` or `closed` orders that were submitted after an instant."""
        found: dict[str, OrderRow] = {}
        while True:
            asked: Parameters = {
                "status": status,
                "limit": ORDERS_PAGE,
                "direction": "asc",
                "nested": "false",
                "after": _stamp(after),
            }
            page = await self._http.get("/v2/orders", list[OrderRow], asked)
            new = {row.id: row for row in page if row.id not in found}
            found |= new
            if len(page) < ORDERS_PAGE:
                return list(found.values())
            last = page[-1].submitted_at
            if not new or last is None:
                raise BrokerUnavailable("Alpaca's list of orders does not end.", api_name=NAME)
            after = last - _TICK

    async def fills(self, since: datetime | None = None) -> list[FillRow]:
        """All fills of the account since an instant, those of others' orders too."""
        rows: list[FillRow] = []
        after = None if since is None else since - OVERLAP
        while True:
            asked: Parameters = {
                "direction": "asc",
                "page_size": FILLS_PAGE,
                "after": _stamp(after),
                "page_token": rows[-1].id if rows else None,
            }
            page = await self._http.get("/v2/account/activities/FILL", list[FillRow], asked)
            rows += page
            if len(page) < FILLS_PAGE:
                return rows

    async def positions(self) -> list[PositionRow]:
        return await self._http.get("/v2/positions", list[PositionRow])


class BookReader:
    """Reads all that Alpaca has as of one instant, and gives it our names."""

    def __init__(
        self, reads: Reads, chains: Chains, heard: Callable[[list[FillRow]], None]
    ) -> None:
        """`heard` is told of the fills."""
        self._reads = reads
        self._chains = chains
        self._heard = heard

    async def book(self, since: datetime | None) -> BrokerBook:
        """Raises BrokerUnavailable where fills come faster than the account can be read.

        Open orders are read before fills, so that what they say is filled is among the fills;
        positions and cash are read until no fill came meanwhile. Closed orders are those that were
        submitted since then: `find` tells of older ones.
        """
        opened = await self._reads.orders("open")
        fills = {row.id: row for row in await self._reads.fills(since)}
        closed = await self._reads.orders("closed", since)
        for _ in range(MOST_TRIES):
            positions = await self._reads.positions()
            account = await self._reads.account()
            newest = max((row.transaction_time for row in fills.values()), default=since)
            again = {row.id: row for row in await self._reads.fills(newest)}
            if again.keys() <= fills.keys():
                break
            fills |= again
        else:
            raise BrokerUnavailable("Fills come faster than the account is read.", api_name=NAME)
        self._chains.learn([*opened, *closed])
        rows = sorted(fills.values(), key=lambda row: (row.transaction_time, row.cum_qty))
        self._heard(rows)
        return BrokerBook(
            open_orders=await self._orders(opened),
            closed_orders=await self._orders(closed),
            executions=tuple(
                [execution(row, await self._chains.name_of(row.order_id)) for row in rows]
            ),
            complete_since=since or datetime.min.replace(tzinfo=UTC),
            positions={row.symbol: row.signed for row in positions if row.qty},
            average_prices={
                row.symbol: row.avg_entry_price for row in positions if row.avg_entry_price
            },
            cash=account.cash,
        )

    async def _orders(self, rows: list[OrderRow]) -> tuple[BrokerOrder, ...]:
        """One for each order of ours; forms that were replaced, or never took over, are none."""
        found = []
        for row in rows:
            if row.status == "replaced" or not row.symbol:
                continue
            chain = await self._chains.back(row)
            if len(chain) > 1 and (row.status == "rejected" or chain[-2].status != "replaced"):
                continue
            name = self._chains.name_of_first(chain[0])
            found.append(broker_order(chain, name if self._chains.is_ours(name) else None))
        return tuple(found)

    async def find(self, name: str) -> list[OrderRow] | None:
        """All forms of an order as they are now; None where Alpaca itself says that it has none."""
        external = name.removeprefix(foreign_id(""))
        try:
            first = await (
                self._reads.by_client_id(name) if external == name else self._reads.order(external)
            )
        except NotFound as error:
            if error.context.get("number") is None:
                raise  # an address that knows no orders, not an order that does not exist
            return None
        self._chains.learn((first,))
        return [*(await self._chains.back(first))[:-1], *await self._chains.forth(first, anew=True)]


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
