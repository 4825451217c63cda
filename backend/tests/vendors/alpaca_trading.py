"""Alpaca's trading side on this machine: REST address, stream of trade updates, an exchange.

`AlpacaTrading` runs in a test's own event loop, or as a process that outlives whoever trades on it:

    python -m tests.vendors.alpaca_trading --port 8099 --symbols AAPL,MSFT

Then `POST /loopback/print {"symbol": "AAPL", "price": 100}` makes the market, `/loopback/NAME`
calls any of COMMANDS, and `GET /loopback/state` tells the truth of the venue.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from websockets.http11 import Response

from app.core.clock import now
from tests.vendors.alpaca import KEY, SECRET
from tests.vendors.alpaca_venue import Venue, positions
from tests.vendors.alpaca_venue_orders import Refusal, plain, stamp, text
from tests.vendors.http_loopback import HttpLoopback, Posted, Socket, empty
from tests.vendors.loopback import Asked, reply

COMMANDS: Final = frozenset(
    {"print", "close_session", "open_session", "settle", "bust", "correct", "reject", "push",
     "know", "hold"}
)  # fmt: skip
"Methods of the venue that another process may call."
FAULTS: Final = frozenset(
    {"drop", "mute", "duplicate", "reorder", "expire_key", "plan", "throttle"}
)
Message = dict[str, Any]


class AlpacaTrading(HttpLoopback):
    """REST and stream of one account, over a `Venue`.

    Faults of requests: `refuse` (429, 5xx, before or after the order was taken), `lose_ack`,
    `cut`, `hang`, `slow`. Faults of the stream: those of `Loopback`.
    """

    def __init__(self, venue: Venue | None = None, *symbols: str) -> None:
        super().__init__()
        self.venue = venue or Venue()
        for symbol in symbols or ("AAPL", "MSFT"):
            self.venue.know(symbol)
        self.largest_page = 100
        "Of activities."
        self.most_orders = 500
        self.listening: list[Socket] = []
        self.offers = True
        "Whether the stream of trade updates can be listened to."
        self.greeting = b""
        "What is said before anything is asked."
        self._telling = asyncio.Lock()

    # --------------------------------------------------------------------------- faults

    def refuse(
        self, status: int, times: int = 1, *, method: str | None = "POST", taken: bool = False,
        **headers: str,
    ) -> None:  # fmt: skip
        """The next requests get this status; `taken`: although the order was taken."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        said = {"message": "too many requests." if status == 429 else "internal server error"}
        self.plan(times, method=method, answer=reply(said, status, **named), is_taken=taken)

    def lose_ack(self, times: int = 1, method: str | None = "POST") -> None:
        """The next requests are acted on, and the connection breaks before the answer."""
        self.plan(times, method=method, is_taken=True)

    def cut(self, times: int = 1, method: str | None = "POST") -> None:
        """The next requests are lost: nobody acts on them, and the connection breaks."""
        self.plan(times, method=method)

    def hang(self, times: int = 1, *, method: str | None = "POST", taken: bool = False) -> None:
        """The next requests get no answer at all."""
        self.plan(times, method=method, hangs=True, is_taken=taken)

    def slow(self, seconds: float, times: int = 1, method: str | None = "POST") -> None:
        """The next requests are acted on and answered so much later."""
        self.plan(times, method=method, delay=seconds)

    # ------------------------------------------------------------------------- the market

    async def print(self, symbol: str, price: float, size: int | None = None) -> None:
        """A trade of the market, and what it fills."""
        self.venue.print(symbol, price, size)
        await self.tell()

    async def tell(self) -> None:
        """Send what the venue has to say, in order."""
        async with self._telling:
            for message in self.venue.take_news():
                for socket in list(self.listening):
                    await self.say(socket, {"stream": "trade_updates", "data": message})

    # -------------------------------------------------------------------------------- HTTP

    def admit(self, asked: Asked) -> Response | None:
        if asked.path.startswith("/loopback/"):
            return None
        given = (asked.headers.get("APCA-API-KEY-ID"), asked.headers.get("APCA-API-SECRET-KEY"))
        if given != (KEY, SECRET) or not self.key_is_valid:
            return reply({"code": 40110000, "message": "request is not authorized"}, 401)
        return None

    async def respond(self, asked: Posted) -> Response:
        try:
            answer = await self._act(asked)
        except Refusal as refusal:
            answer = reply(refusal.body, refusal.status, Connection="keep-alive")
        await self.tell()
        return answer

    async def _act(self, asked: Posted) -> Response:
        if asked.path.startswith("/loopback/"):
            return await self._command(asked)
        name = asked.path.removeprefix("/v2/")
        if name == "orders:by_client_order_id":
            return self._by_client(asked.query["client_order_id"])
        if name == "orders" or name.startswith("orders/"):
            return self._orders(asked, name.removeprefix("orders").lstrip("/"))
        if name.startswith("account/activities"):
            return self._activities(asked)
        if name.startswith("assets/"):
            return self._asset(name.removeprefix("assets/"))
        tables: dict[str, Callable[[], object]] = {
            "account": self._account,
            "positions": lambda: list(positions(self.venue)),
            "clock": lambda: {"timestamp": stamp(now()), "is_open": self.venue.is_market_open,
                              "next_open": stamp(now()), "next_close": stamp(now())},
        }  # fmt: skip
        if asked.method == "GET" and name in tables:
            return self._ok(tables[name]())
        return reply({"message": "endpoint not found."}, 404, Connection="keep-alive")

    def _orders(self, asked: Posted, order_id: str) -> Response:
        venue = self.venue
        if asked.method == "POST":
            return self._ok(venue.place(asked.body).view())
        if asked.method == "PATCH":
            return self._ok(venue.replace(order_id, asked.body).view())
        if asked.method == "DELETE" and order_id:
            venue.cancel(order_id)
            return empty()
        if asked.method == "DELETE":
            return self._ok(venue.cancel_all(), 207)
        if order_id:
            if order_id not in venue.orders:
                raise Refusal(404, 40410000, f"order not found for {order_id}")
            return self._ok(venue.orders[order_id].view())
        return self._ok(self._listed(asked.query))

    def _listed(self, query: dict[str, str]) -> list[Message]:
        """Alpaca's list: newest first unless told otherwise, bounds by submission, exclusive."""
        wanted = query.get("status", "open")
        rows = [
            order
            for order in self.venue.orders.values()
            if wanted == "all" or order.is_open == (wanted == "open")
            if "after" not in query or order.created_at > _instant(query["after"])
            if "until" not in query or order.created_at < _instant(query["until"])
        ]
        rows.sort(key=lambda order: order.created_at, reverse=query.get("direction") != "asc")
        return [
            order.view() for order in rows[: min(int(query.get("limit", 50)), self.most_orders)]
        ]

    def _by_client(self, client_order_id: str) -> Response:
        order = self.venue.by_client(client_order_id)
        if order is None:
            raise Refusal(404, 40410000, f"order not found for {client_order_id}")
        return self._ok(order.view())

    def _activities(self, asked: Posted) -> Response:
        """Of one millisecond they come in no order: only their ids are sorted."""
        query = asked.query
        is_falling = query.get("direction", "desc") == "desc"
        rows = sorted(self.venue.activities, key=lambda row: str(row["id"]), reverse=is_falling)
        if "after" in query:
            after = _instant(query["after"])
            rows = [row for row in rows if _instant(str(row["transaction_time"])) > after]
        if token := query.get("page_token"):
            rows = [
                r for r in rows if (str(r["id"]) < token if is_falling else str(r["id"]) > token)
            ]
        size = min(int(query.get("page_size", self.largest_page)), self.largest_page)
        return self._ok(rows[:size])

    def _asset(self, symbol: str) -> Response:
        if symbol not in self.venue.assets:
            raise Refusal(404, 40410000, f"asset not found for {symbol}")
        return self._ok(self.venue.assets[symbol])

    def _account(self) -> Message:
        venue = self.venue
        return {
            "id": "e6fe16f3-64a4-4921-8928-cadf02f92f98", "account_number": "PA1234567",
            "status": "ACTIVE", "currency": "USD", "cash": text(venue.cash),
            "equity": text(venue.equity), "portfolio_value": text(venue.equity),
            "buying_power": text(venue.buying_power), "multiplier": plain(venue.multiplier),
            "trade_suspended_by_user": False, "account_blocked": False, "transfers_blocked": False,
            **venue.account,
        }  # fmt: skip

    def _ok(self, body: object, status: int = 200) -> Response:
        headers = {"X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "199",
                   "Connection": "keep-alive"}  # fmt: skip
        return reply(body, status, **headers)

    async def _command(self, asked: Posted) -> Response:
        name, given = asked.path.removeprefix("/loopback/"), dict(asked.body or {})
        if name == "state":
            return reply(self.state())
        if name in COMMANDS:
            if "at" in given:
                given["at"] = datetime.fromisoformat(given["at"])
            return reply({"result": getattr(self.venue, name)(**given)})
        if name in FAULTS or name in ("refuse", "lose_ack", "cut", "hang", "slow"):
            getattr(self, name)(**given)
            return reply({"result": None})
        return reply({"message": f"no such command: {name}"}, 404)

    def state(self) -> Message:
        """The truth, for a test in another process."""
        venue = self.venue
        return {
            "orders": [order.view() for order in venue.orders.values()],
            "positions": {symbol: plain(h.qty) for symbol, h in venue.holdings.items()},
            "cash": plain(venue.cash),
            "fills": [fill.activity for fill in venue.fills],
        }

    # ------------------------------------------------------------------------------ stream

    async def talk(self, socket: Socket) -> None:
        socket.encode = lambda message: json.dumps(message).encode()  # binary frames, as on paper
        if self.greeting:
            await socket.raw(self.greeting)
        while not await self._signed_in(socket):
            pass
        try:
            while True:
                await self._obey(socket, await socket.hear())
        finally:
            if socket in self.listening:
                self.listening.remove(socket)

    async def _signed_in(self, socket: Socket) -> bool:
        """Both ways of signing in: that of the documentation, and that of Alpaca's own client."""
        asked = await socket.hear()
        told = asked.get("data", {})
        given = {
            "auth": (asked.get("key"), asked.get("secret")),
            "authenticate": (told.get("key_id"), told.get("secret_key")),
        }.get(asked.get("action"))
        is_right = given == (KEY, SECRET) and self.key_is_valid
        action = "authenticate" if given else str(asked.get("action"))
        status = "authorized" if is_right else "unauthorized"
        data = {"status": status, "action": action}
        await self.answer(socket, {"stream": "authorization", "data": data})
        return is_right

    async def _obey(self, socket: Socket, asked: Message) -> None:
        if asked.get("action") != "listen":
            await self.answer(
                socket, {"action": "error", "data": {"error_message": "unknown action"}}
            )
            return
        streams = [s for s in asked["data"]["streams"] if s == "trade_updates" and self.offers]
        await self.answer(socket, {"stream": "listening", "data": {"streams": streams}})
        if socket in self.listening:
            self.listening.remove(socket)
        if streams:
            self.listening.append(socket)


def _instant(given: str) -> datetime:
    """RFC 3339, cut to microseconds."""
    head, _, rest = given.removesuffix("Z").removesuffix("+00:00").partition(".")
    return datetime.fromisoformat(f"{head}.{rest[:6]:0<6}").replace(tzinfo=UTC)


async def _serve(port: int, symbols: list[str], cash: Decimal) -> None:
    server = AlpacaTrading(Venue(cash), *symbols)
    server.port = port
    async with server:
        sys.stdout.write(f"ready {server.http} {KEY} {SECRET}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--symbols", default="AAPL,MSFT")
    arguments.add_argument("--cash", type=Decimal, default=Decimal(100_000))
    chosen = arguments.parse_args()
    asyncio.run(_serve(chosen.port, chosen.symbols.split(","), chosen.cash))
