"""Alpaca on this machine: its REST pages and its streams, as its API description says them.

Prices come from `minutes` alone: longer bars are folded from them as Alpaca folds, by UTC hours and
New York days, extended hours included. `publish` is what makes news: it is stored, then streamed.
"""

import json
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgpack
import numpy as np
from websockets.http11 import Response

from app.core.clock import now, to_ns
from app.marketdata.batch import BarBatch
from tests.vendors.loopback import Asked, Loopback, Socket, reply

KEY: Final = "PKLOOPBACKALPACA0001"
SECRET: Final = "loopback-secret-of-alpaca-1"
NEW_YORK: Final = ZoneInfo("America/New_York")
SYMBOL_LIMIT: Final = 30
"Trades and quotes that the free plan streams at once."
_CHANNELS: Final = {"t": "trades", "q": "quotes", "b": "bars", "u": "updatedBars", "d": "dailyBars"}
_FOLLOWS_TRADES: Final = ("c", "x")
"Corrections and cancels come with the trades, without being asked for."
_STEPS: Final = {"Min": 60, "T": 60, "Hour": 3_600, "H": 3_600}
_NS: Final = 1_000_000_000
_DEFAULT_PAGE: Final = 1_000

Message = dict[str, Any]


class AlpacaLoopback(Loopback):
    """The data API, the assets of the trading API, and both streams, on one port."""

    def __init__(self) -> None:
        super().__init__()
        self.minutes: dict[str, list[Message]] = defaultdict(list)
        self.trades: dict[str, list[Message]] = defaultdict(list)
        self.quotes: dict[str, list[Message]] = defaultdict(list)
        self.actions: dict[str, list[Message]] = {}
        self.chains: dict[str, dict[str, Message]] = {}
        self.assets: dict[str, Message] = {}
        self.feeds = {"iex", "delayed_sip", "indicative", "test"}
        "What the plan allows; `sip` and `opra` cost money."
        self.connections_allowed = 1
        self.not_streamed: set[str] = set()
        self.silent = False
        "Sockets are accepted and then left alone."
        self.largest_page = 10_000
        self.route("/v2/stocks/bars", self._bars_of)
        self.route("/v1beta1/options/bars", self._bars_of)
        self.route("/v2/stocks/trades", self._of_stocks)
        self.route("/v1beta1/options/trades", self._of_stocks)
        self.route("/v2/stocks/", self._of_one_stock)
        self.route("/v1/corporate-actions", self._corporate_actions)
        self.route("/v1beta1/options/snapshots/", self._chain)
        self.route("/v2/assets/", self._asset)

    # ----------------------------------------------------------------- what it knows

    def know(self, symbol: str, name: str = "", exchange: str = "NASDAQ") -> None:
        """An asset without any prices yet."""
        self.assets[symbol] = {
            "id": "904837e3-3b76-47ec-b432-046db621571b", "class": "us_equity", "symbol": symbol,
            "exchange": exchange, "name": name or symbol, "status": "active", "tradable": True,
        }  # fmt: skip

    def hold(self, batch: BarBatch) -> None:
        """Minute bars as history; the symbol is known from then on."""
        if batch.symbol not in self.assets:
            self.know(batch.symbol)
        self.minutes[batch.symbol] += [bar_message(row) for row in batch.rows.tolist()]

    async def publish(self, batch: BarBatch, kind: str = "b") -> None:
        """Minute bars that are just over; with kind `u` they replace what was said before."""
        for row in batch.rows.tolist():
            message = bar_message(row)
            kept = [m for m in self.minutes[batch.symbol] if m["t"] != message["t"]]
            self.minutes[batch.symbol] = sorted([*kept, message], key=lambda m: int(m["t"]))
            await self.shout(kind, batch.symbol, message)

    async def trade(self, symbol: str, at: int, price: float, size: int, **more: Any) -> None:
        """One print, stored and streamed."""
        count = len(self.trades[symbol]) + 1
        message = {"t": at, "x": "V", "p": price, "s": size, "c": ["@"], "i": count, "z": "C"}
        self.trades[symbol].append({**message, **more})
        await self.shout("t", symbol, {**message, **more})

    async def quote(
        self, symbol: str, at: int, bid: float, ask: float, size: int = 100, **more: Any
    ) -> None:
        """One top of book, stored and streamed."""
        message = {
            "t": at, "bx": "V", "bp": bid, "bs": size, "ax": "V", "ap": ask, "as": size,
            "c": ["R"], "z": "C", **more,
        }  # fmt: skip
        self.quotes[symbol].append(message)
        await self.shout("q", symbol, message)

    async def shout(self, kind: str, symbol: str, message: Message) -> None:
        """One message to every socket that asked for it."""
        channel = "trades" if kind in _FOLLOWS_TRADES else _CHANNELS[kind]
        for socket in list(self.sockets):
            wanted = socket.topics.get(channel, [])
            if symbol in wanted or "*" in wanted:
                await self.say(socket, [{"T": kind, "S": symbol, **message}])

    # ------------------------------------------------------------------------ HTTP

    def admit(self, asked: Asked) -> Response | None:
        given = (asked.headers.get("APCA-API-KEY-ID"), asked.headers.get("APCA-API-SECRET-KEY"))
        if given != (KEY, SECRET) or not self.key_is_valid:
            return reply({"message": "forbidden."}, 401)
        feed = asked.query.get("feed")
        if feed == "sip" and "sip" not in self.feeds and not _is_old(asked.query.get("end")):
            said = "subscription does not permit querying recent SIP data"
            return reply({"message": said}, 403)
        if feed == "opra" and "opra" not in self.feeds:
            return reply({"message": "OPRA agreement is not signed"}, 403)
        return None

    def _bars_of(self, asked: Asked) -> Response:
        symbols = asked.query["symbols"].split(",")
        rows = [
            (symbol, bar)
            for symbol in sorted(symbols)
            for bar in folded(self.minutes.get(symbol, []), asked.query["timeframe"])
        ]
        page, token = self._page(asked, rows, lambda row: int(row[1]["t"]))
        bars: dict[str, list[Message]] = {}
        for symbol, bar in page:
            bars.setdefault(symbol, []).append(written(bar))
        return self._ok({"bars": bars, "next_page_token": token})

    def _of_stocks(self, asked: Asked) -> Response:
        """Prints of several stocks or options, as the vendor's own client asks for them."""
        rows = [(s, row) for s in asked.query["symbols"].split(",") for row in self.trades[s]]
        page, token = self._page(asked, rows, lambda row: int(row[1]["t"]))
        trades: dict[str, list[Message]] = {}
        for symbol, row in page:
            trades.setdefault(symbol, []).append(written(row))
        return self._ok({"trades": trades, "next_page_token": token})

    def _of_one_stock(self, asked: Asked) -> Response:
        symbol, what = asked.path.split("/")[3:5]
        if not symbol.replace(".", "").isalpha():
            return reply({"message": f"invalid symbol: {symbol}"}, 400)
        if what == "snapshot":
            return self._snapshot(symbol)
        rows = {"trades": self.trades, "quotes": self.quotes}[what].get(symbol, [])
        page, token = self._page(asked, rows, lambda row: int(row["t"]))
        body = {"symbol": symbol, what: [written(row) for row in page] or None}
        return self._ok({**body, "next_page_token": token})

    def _snapshot(self, symbol: str) -> Response:
        if symbol not in self.assets:
            return reply({"code": 40410000, "message": f"no snapshot for {symbol}"}, 404)
        latest = {"latestTrade": self.trades, "latestQuote": self.quotes, "minuteBar": self.minutes}
        found = {name: kept[symbol][-1] for name, kept in latest.items() if kept.get(symbol)}
        return self._ok({"symbol": symbol, **{k: written(v) for k, v in found.items()}})

    def _corporate_actions(self, asked: Asked) -> Response:
        types = set(asked.query.get("types", "").split(",")) - {""}
        symbols = set(asked.query["symbols"].split(","))
        first, last = (date.fromisoformat(asked.query[name]) for name in ("start", "end"))
        rows = [
            (kind, action)
            for kind, actions in self.actions.items()
            if not types or kind.removesuffix("s") in types
            for action in actions
            if symbols & {v for k, v in action.items() if k.endswith("symbol")}
            and first <= date.fromisoformat(action["process_date"]) <= last
        ]
        page, token = self._page(asked, rows, None)
        body: dict[str, list[Message]] = {}
        for kind, action in page:
            body.setdefault(kind, []).append(action)
        return self._ok({"corporate_actions": body, "next_page_token": token})

    def _chain(self, asked: Asked) -> Response:
        underlying = asked.path.rsplit("/", 1)[1]
        expiry = asked.query.get("expiration_date")
        wanted = date.fromisoformat(expiry).strftime("%y%m%d") if expiry else ""
        rows = [
            item
            for item in sorted(self.chains.get(underlying, {}).items())
            if item[0].removeprefix(underlying).startswith(wanted)
        ]
        page, token = self._page(asked, rows, None)
        return self._ok({"snapshots": dict(page), "next_page_token": token})

    def _asset(self, asked: Asked) -> Response:
        symbol = asked.path.rsplit("/", 1)[1]
        if symbol not in self.assets:
            return reply({"code": 40410000, "message": f"asset not found for {symbol}"}, 404)
        return self._ok(self.assets[symbol])

    def _page(
        self, asked: Asked, rows: Iterable[Any], at: Callable[[Any], int] | None
    ) -> tuple[list[Any], str | None]:
        """Start and end are both inclusive, as Alpaca's are."""
        if at is not None:
            first, last = _instant(asked.query["start"]), _instant(asked.query["end"])
            rows = [row for row in rows if first <= at(row) <= last]
        rows = list(rows)
        offset = int(b64decode(asked.query.get("page_token", "")) or 0)
        limit = min(int(asked.query.get("limit", _DEFAULT_PAGE)), self.largest_page)
        more = offset + limit < len(rows)
        token = b64encode(str(offset + limit).encode()).decode() if more else None
        return rows[offset : offset + limit], token

    def _ok(self, body: object) -> Response:
        reset = str(int(now().timestamp()) + 60)
        return reply(
            body, **{"X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "199",
                     "X-RateLimit-Reset": reset}
        )  # fmt: skip

    # --------------------------------------------------------------------- streams

    async def talk(self, socket: Socket) -> None:
        _, version, feed = socket.path.split("/")
        if "msgpack" in socket.headers.get("Content-Type", ""):
            socket.encode, socket.decode = packed, msgpack.unpackb
        else:
            socket.encode = spelled
        if self.silent:
            await socket.connection.wait_closed()
        await self.answer(socket, [{"T": "success", "msg": "connected"}])
        if version == "v1beta1" and socket.encode is spelled:
            await _refuse(socket, 412, "option messages are only available in MsgPack format")
            return
        if not await self._signed_in(socket, feed):
            return
        while True:
            await self._obey(socket, await socket.hear())

    async def _signed_in(self, socket: Socket, feed: str) -> bool:
        asked = await socket.hear()
        if asked.get("action") != "auth":
            await _refuse(socket, 401, "not authenticated")
        elif (asked["key"], asked["secret"]) != (KEY, SECRET) or not self.key_is_valid:
            await _refuse(socket, 402, "auth failed")
        elif feed not in self.feeds:
            await _refuse(socket, 409, "insufficient subscription")
        elif sum(s.path == socket.path for s in self.sockets) > self.connections_allowed:
            await _refuse(socket, 406, "connection limit exceeded")
        else:
            await self.answer(socket, [{"T": "success", "msg": "authenticated"}])
            return True
        return False

    async def _obey(self, socket: Socket, asked: Message) -> None:
        action = asked.pop("action", None)
        if action not in ("subscribe", "unsubscribe"):
            await _refuse(socket, 400, "invalid syntax")
            return
        topics = {name: set(socket.topics.get(name, [])) for name in _CHANNELS.values()}
        for name, symbols in asked.items():
            topics[name] = (
                topics[name] | set(symbols)
                if action == "subscribe"
                else topics[name] - set(symbols)
            )
        if len(topics["trades"]) + len(topics["quotes"]) > SYMBOL_LIMIT and "sip" not in self.feeds:
            await _refuse(socket, 405, "symbol limit exceeded")
            return
        socket.topics = {
            name: sorted(symbols - self.not_streamed) for name, symbols in topics.items()
        }
        followers = {
            "corrections": socket.topics["trades"],
            "cancelErrors": socket.topics["trades"],
        }
        await self.answer(socket, [{"T": "subscription", **socket.topics, **followers}])


async def _refuse(socket: Socket, code: int, said: str) -> None:
    await socket.send([{"T": "error", "code": code, "msg": said}])


def bar_message(row: tuple[Any, ...]) -> Message:
    """A row of a BarBatch as Alpaca says it; `t` in nanoseconds until it is written."""
    start, _, o, h, low, c, volume, vwap = row
    average = round((h + low + c) / 3, 6) if np.isnan(vwap) else vwap
    return {"t": start, "o": o, "h": h, "l": low, "c": c, "v": int(volume), "n": 7, "vw": average}


def folded(minutes: list[Message], timeframe: str) -> list[Message]:
    """Bars of 5Min, 1Hour, 1Day …: by the clock of UTC, days by New York's."""
    groups: dict[int, list[Message]] = {}
    for minute in minutes:
        groups.setdefault(_bucket(minute["t"], timeframe), []).append(minute)
    return [
        {
            "t": start,
            "o": group[0]["o"],
            "h": max(m["h"] for m in group),
            "l": min(m["l"] for m in group),
            "c": group[-1]["c"],
            "v": sum(m["v"] for m in group),
            "n": sum(m["n"] for m in group),
            "vw": sum(m["vw"] * m["v"] for m in group) / max(sum(m["v"] for m in group), 1),
        }
        for start, group in sorted(groups.items())
    ]


def _bucket(at: int, timeframe: str) -> int:
    count, unit = int("".join(filter(str.isdigit, timeframe))), timeframe.lstrip("0123456789")
    if unit in ("Day", "D"):
        local = datetime.fromtimestamp(at // _NS, NEW_YORK)
        return to_ns(local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC))
    step = count * _STEPS[unit] * _NS
    return at // step * step


def written(message: Message) -> Message:
    """With `t` as RFC 3339 in nanoseconds."""
    return {**message, "t": stamp(message["t"])}


def stamp(at: int) -> str:
    seconds, rest = divmod(at, _NS)
    text = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
    return f"{text}.{rest:09d}".rstrip("0").rstrip(".") + "Z"


def spelled(messages: list[Message]) -> str:
    """The JSON codec of the stream."""
    return json.dumps([written(m) if isinstance(m.get("t"), int) else m for m in messages])


def packed(messages: list[Message]) -> bytes:
    """The msgpack codec of the stream: times are timestamps of their own kind."""
    said = [
        {**m, "t": msgpack.Timestamp.from_unix_nano(m["t"])} if isinstance(m.get("t"), int) else m
        for m in messages
    ]
    content: bytes = msgpack.packb(said)
    return content


def _instant(text: str) -> int:
    """RFC 3339, as exact as it is given."""
    return int(np.datetime64(text.removesuffix("Z").removesuffix("+00:00"), "ns").astype(np.int64))


def _is_old(end: str | None) -> bool:
    """Whether the last quarter of an hour stays out: the free plan may see the rest of SIP."""
    return end is not None and _instant(end) <= to_ns(now()) - 15 * 60 * _NS
