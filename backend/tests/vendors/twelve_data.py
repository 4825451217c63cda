"""Twelve Data on this machine: /time_series, /profile, /splits, /dividends and the WebSocket."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from websockets.http11 import Response

from app.core.clock import from_ns
from app.domain.market import Timeframe
from app.marketdata.batch import BarBatch
from tests.vendors.loopback import Asked, Loopback, Socket, reply

KEY: Final = "loopback-key-of-twelve-data"
INTERVALS: Final = {
    "1min": Timeframe.M1,
    "5min": Timeframe.M5,
    "15min": Timeframe.M15,
    "1h": Timeframe.H1,
    "1day": Timeframe.D1,
}
PAGE: Final = 5_000
_DEFAULT_PAGE: Final = 30
_NO_DATA: Final = (
    "No data is available on the specified dates. Try setting different start/end dates."
)
_NO_SYMBOL: Final = (
    "**symbol** or **figi** parameter is missing or invalid. Please provide a valid symbol"
    " according to API documentation: https://twelvedata.com/docs#reference-data"
)
_OUT_OF_CREDITS: Final = (
    "You have run out of API credits for the current minute. 9 API credits were used, with the"
    " current limit being 8. Wait for the next minute or consider switching to a higher tier plan"
)


class TwelveDataLoopback(Loopback):
    """Errors come as the vendor sends them: some with their status, some inside a 200."""

    def __init__(self) -> None:
        super().__init__()
        self.series: dict[tuple[str, Timeframe], dict[str, dict[str, str]]] = {}
        self.companies: dict[str, dict[str, str]] = {}
        self.splits: dict[str, list[dict[str, Any]]] = {}
        self.dividends: dict[str, list[dict[str, Any]]] = {}
        self.streamed: set[str] | None = None
        "Symbols that the plan streams; None for all that are known."
        self.has_plan = True
        self.connections = 0
        self._volumes: dict[str, float] = {}
        self._credit_faults = 0
        self.route("/time_series", self._time_series)
        self.route("/profile", self._profile)
        self.route("/splits", lambda asked: self._listed(asked, "splits", self.splits))
        self.route("/dividends", lambda asked: self._listed(asked, "dividends", self.dividends))

    @property
    def variables(self) -> dict[str, str]:
        """Environment of an adapter that is to talk to us."""
        return {
            "TWELVE_DATA_API_KEY": KEY,
            "TWELVE_DATA_BASE_URL": self.http,
            "TWELVE_DATA_SOCKET_URL": f"{self.ws}/v1/quotes/price",
            "TWELVE_DATA_CREDITS_PER_MINUTE": "10000",
            "TWELVE_DATA_CREDITS_PER_DAY": "0",
        }

    # ----------------------------------------------------------------- what it knows

    def know(self, symbol: str, name: str = "", sector: str = "Technology") -> None:
        """A listed company without any prices yet."""
        self.companies[symbol] = {
            "symbol": symbol, "name": name or symbol, "exchange": "NASDAQ", "mic_code": "XNGS",
            "sector": sector, "industry": "Hardware", "type": "Common Stock",
        }  # fmt: skip

    def hold(self, batch: BarBatch) -> None:
        """Bars as history; the symbol is known from then on."""
        if batch.symbol not in self.companies:
            self.know(batch.symbol)
        known = self.series.setdefault((batch.symbol, batch.timeframe), {})
        for row in batch.rows.tolist():
            stamp = _stamp(from_ns(row[0]), batch.timeframe)
            names = ("open", "high", "low", "close", "volume")
            values = dict(zip(names, map(_number, row[2:7]), strict=True))
            known[stamp] = {"datetime": stamp, **values}

    async def trade(self, symbol: str, price: float, size: float, at: datetime) -> None:
        """A price event to everybody who is subscribed."""
        self._volumes[symbol] = self._volumes.get(symbol, 1_000.0) + size
        event = {
            "event": "price", "symbol": symbol, "currency": "USD", "exchange": "NASDAQ",
            "mic_code": "XNGS", "type": "Common Stock", "timestamp": int(at.timestamp()),
            "price": price, "day_volume": int(self._volumes[symbol]),
        }  # fmt: skip
        for socket in list(self.sockets):
            if symbol in socket.topics.get("price", []):
                await self.say(socket, event)

    def run_out(self, times: int = 1) -> None:
        """The next requests find no credits: a 429 inside of a 200."""
        self._credit_faults += times

    def subscribed(self) -> set[str]:
        """Symbols that some socket has asked for."""
        return {symbol for socket in self.sockets for symbol in socket.topics.get("price", [])}

    # ------------------------------------------------------------------------- HTTP

    def admit(self, asked: Asked) -> Response | None:
        if not self._is_signed(asked.query, asked.headers):
            message = "**apikey** parameter is incorrect or not specified. You can get your free"
            return _error(401, f"{message} API key instantly following this link", status=401)
        if self._credit_faults:
            self._credit_faults -= 1
            return _error(429, _OUT_OF_CREDITS)
        return None

    def _is_signed(self, query: Mapping[str, str], headers: Mapping[str, str]) -> bool:
        said = {headers.get("Authorization", ""), f"apikey {query.get('apikey', '')}"}
        return self.key_is_valid and f"apikey {KEY}" in said

    def _time_series(self, asked: Asked) -> Response:
        query = asked.query
        symbol, timeframe = query.get("symbol", ""), INTERVALS.get(query.get("interval", ""))
        if timeframe is None:
            return _error(400, "Invalid **interval** provided", status=400)
        if symbol not in self.companies:
            return _error(404, _NO_SYMBOL)
        assert query["timezone"] == "UTC", "times are shown in the exchange's zone without it"
        first, last = query.get("start_date", ""), query.get("end_date", "9999")
        length = 10 if timeframe is Timeframe.D1 else 19
        known = self.series.get((symbol, timeframe), {})
        chosen = [v for t, v in sorted(known.items()) if first[:length] <= t <= last[:length]]
        size = min(int(query.get("outputsize", _DEFAULT_PAGE)), PAGE)
        if not chosen:
            return _error(400, _NO_DATA)
        meta = {"symbol": symbol, "interval": query["interval"], "currency": "USD"}
        return reply({"meta": meta, "values": chosen[-size:][::-1], "status": "ok"}, **_CREDITS)

    def _profile(self, asked: Asked) -> Response:
        found = self.companies.get(asked.query.get("symbol", ""))
        if not self.has_plan:
            return _no_plan("/profile")
        return reply(found, **_CREDITS) if found else _error(404, _NO_SYMBOL)

    def _listed(self, asked: Asked, name: str, known: Mapping[str, list[Any]]) -> Response:
        symbol = asked.query.get("symbol", "")
        if not self.has_plan:
            return _no_plan(f"/{name}")
        if symbol not in self.companies:
            return _error(404, _NO_SYMBOL)
        return reply({"meta": {"symbol": symbol}, name: known.get(symbol, [])}, **_CREDITS)

    # -------------------------------------------------------------------- WebSocket

    async def talk(self, socket: Socket) -> None:
        if not self.key_is_valid or f"apikey={KEY}" not in socket.path:
            await socket.send(
                {"status": "error", "code": 401, "message": "apikey is incorrect or not specified"}
            )
            return
        self.connections += 1
        while True:
            asked = await socket.hear()
            action = asked.get("action")
            if action == "subscribe":
                await self._subscribe(socket, asked["params"]["symbols"].split(","))
            elif action == "heartbeat":
                await self.say(socket, {"event": "heartbeat", "status": "ok"})

    async def _subscribe(self, socket: Socket, symbols: list[str]) -> None:
        allowed = self.companies.keys() if self.streamed is None else self.streamed
        good = [symbol for symbol in symbols if symbol in allowed]
        bad = [symbol for symbol in symbols if symbol not in allowed]
        socket.topics["price"] = good
        await self.say(
            socket,
            {
                "event": "subscribe-status",
                "status": "ok" if not bad else "warning" if good else "error",
                "success": [{"symbol": symbol, "exchange": "NASDAQ"} for symbol in good],
                "fails": [{"symbol": symbol} for symbol in bad] or None,
            },
        )


_CREDITS: Final = {"api-credits-used": "1", "api-credits-left": "9000"}


def _error(code: int, message: str, status: int = 200) -> Response:
    return reply({"code": code, "message": message, "status": "error"}, status)


def _no_plan(path: str) -> Response:
    message = f"{path} is available exclusively with grow or pro plans. Consider upgrading your API"
    return _error(403, f"{message} key now at https://twelvedata.com/pricing", status=403)


def _stamp(at: datetime, timeframe: Timeframe) -> str:
    return at.strftime("%Y-%m-%d" if timeframe is Timeframe.D1 else "%Y-%m-%d %H:%M:%S")


def _number(value: float) -> str:
    return f"{value:.10g}"
