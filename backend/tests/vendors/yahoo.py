"""Yahoo Finance on this machine: charts, summaries, option chains, cookie and crumb.

Prices are kept raw and shown as Yahoo shows them: divided by every later split, dividends too.
"""

from collections import defaultdict
from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from websockets.http11 import Response

from app.core.clock import Clock, system, to_ns
from app.domain.market import Timeframe
from app.marketdata.aggregation import aggregate
from app.marketdata.batch import BarBatch, concatenate, to_datetime
from app.marketdata.calendar import trading_calendar
from tests.vendors.loopback import Asked, Loopback, reply, text

CRUMB: Final = "crumb.of.loopback"
NEW_YORK: Final = ZoneInfo("America/New_York")
_INTERVALS: Final = {
    "1m": Timeframe.M1,
    "5m": Timeframe.M5,
    "15m": Timeframe.M15,
    "1h": Timeframe.H1,
    "1d": Timeframe.D1,
}
_DAYS_A_REQUEST: Final = {"1m": 8}
_DAYS_BACK: Final = {"1m": 30, "5m": 60, "15m": 60, "1h": 730}
_RANGES: Final = ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"]
_NS: Final = 1_000_000_000
_DAY: Final = 86_400


class YahooLoopback(Loopback):
    """Symbols are Yahoo's own here: BRK-B."""

    def __init__(self, clock: Clock = system) -> None:
        super().__init__()
        self.clock = clock
        self.bars: dict[str, BarBatch] = {}
        self.splits: dict[str, list[tuple[date, int, int]]] = defaultdict(list)
        self.dividends: dict[str, list[tuple[date, float]]] = defaultdict(list)
        self.profiles: dict[str, dict[str, Any]] = {}
        self.chains: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.calendar = trading_calendar()
        self.route("/", self._front)
        self.route("/consent", lambda _: text("<html></html>"))
        self.route("/v1/test/getcrumb", lambda _: text(CRUMB))
        self.route("/v8/finance/chart/", self._chart)
        self.route("/v10/finance/quoteSummary/", self._summary)
        self.route("/v7/finance/quote", self._quote)
        self.route("/v7/finance/options/", self._options)
        self.route("/ws/fundamentals-timeseries/", lambda _: reply({"timeseries": {"result": []}}))

    def hold(self, batch: BarBatch) -> None:
        """Raw minute bars as history; the symbol is known from then on."""
        known = self.bars.get(batch.symbol)
        self.bars[batch.symbol] = concatenate([known, batch] if known else [batch]).sorted()
        self.know(batch.symbol)

    def know(self, symbol: str) -> None:
        """A symbol without any prices yet."""
        self.profiles.setdefault(symbol, {"longName": symbol, "exchange": "NMS"})

    def spares(self, asked: Asked) -> bool:
        return not asked.path.startswith("/v8/")

    # ------------------------------------------------------------------------ charts

    def _chart(self, asked: Asked) -> Response:
        symbol = asked.path.rsplit("/", 1)[1]
        if symbol not in self.profiles:
            return _refusal("chart", 404, "Not Found", "No data found, symbol may be delisted")
        interval = asked.query["interval"]
        now = self.clock.now().timestamp()
        first, last = _span(asked.query, now)
        if said := _too_much(interval, first, last, now):
            return _refusal("chart", 422, "Unprocessable Entity", said)
        batch = self._adjusted(symbol, self._folded(symbol, _INTERVALS[interval]))
        rows = batch.between(first * _NS, last * _NS)
        result = {
            "meta": self._meta(symbol, interval, first, last),
            "indicators": {"quote": [{}]},
            **self._events(symbol, first, last),
        }
        if len(rows):
            result |= _columns(rows)
        return reply({"chart": {"result": [result], "error": None}})

    def _folded(self, symbol: str, timeframe: Timeframe) -> BarBatch:
        minutes = self.bars.get(symbol) or BarBatch.empty(symbol, Timeframe.M1)
        if timeframe is Timeframe.M1 or not len(minutes):
            return minutes
        return aggregate(minutes, timeframe, self.calendar, int(minutes.end[-1]))

    def _factor(self, symbol: str, day: date) -> float:
        """How many of today's shares one share of `day` has become."""
        later = [n / d for on, n, d in self.splits[symbol] if on > day]
        return float(np.prod(later)) if later else 1.0

    def _adjusted(self, symbol: str, batch: BarBatch) -> BarBatch:
        days = self.calendar.session_days(batch.start).tolist()
        factors = np.array([self._factor(symbol, day) for day in days])
        rows = batch.rows.copy()
        for name in ("open", "high", "low", "close"):
            rows[name] /= factors
        rows["volume"] *= factors
        return BarBatch(symbol, batch.timeframe, rows)

    def _events(self, symbol: str, first: int, last: int) -> dict[str, Any]:
        splits = {
            str(at): {"date": at, "numerator": n, "denominator": d, "splitRatio": f"{n}:{d}"}
            for day, n, d in self.splits[symbol]
            if first <= (at := self._open(day)) < last
        }
        dividends = {
            str(at): {"date": at, "amount": amount / self._factor(symbol, day)}
            for day, amount in self.dividends[symbol]
            if first <= (at := self._open(day)) < last
        }
        events = {"splits": splits, "dividends": dividends}
        return {"events": found} if (found := {k: v for k, v in events.items() if v}) else {}

    def _open(self, day: date) -> int:
        session = self.calendar.session_on(day)
        assert session is not None, f"{day} has no session"
        return session.open // _NS

    def _meta(self, symbol: str, interval: str, first: int, last: int) -> dict[str, Any]:
        sessions = self.calendar.sessions((first - 5 * _DAY) * _NS, last * _NS)
        periods = [[_period(s.open, s.close)] for s in sessions]
        now = self.clock.now()
        today = _period(to_ns(now), to_ns(now))
        meta = {
            "currency": "USD", "symbol": symbol, "exchangeName": "NMS",
            "fullExchangeName": "NasdaqGS", "instrumentType": "EQUITY",
            "firstTradeDate": 345_479_400, "regularMarketTime": int(now.timestamp()),
            "gmtoffset": -18_000, "timezone": "EST", "exchangeTimezoneName": "America/New_York",
            "regularMarketPrice": 1.0, "priceHint": 2, "dataGranularity": interval, "range": "",
            "currentTradingPeriod": {name: dict(today) for name in ("pre", "regular", "post")},
            "validRanges": _RANGES,
        }  # fmt: skip
        return meta if interval == "1d" else {**meta, "tradingPeriods": periods}

    # --------------------------------------------------------- summaries and chains

    def _summary(self, asked: Asked) -> Response:
        symbol = asked.path.rsplit("/", 1)[1]
        if asked.query.get("crumb") != CRUMB:
            return _refusal("finance", 401, "Unauthorized", "Invalid Crumb")
        if symbol not in self.profiles:
            said = f"Quote not found for symbol: {symbol}"
            return _refusal("quoteSummary", 404, "Not Found", said)
        known = self.profiles[symbol]
        modules = {
            "assetProfile": {k: v for k, v in known.items() if k in ("sector", "industry")},
            "quoteType": {
                "exchange": known.get("exchange"), "quoteType": "EQUITY", "symbol": symbol,
                "longName": known.get("longName"), "timeZoneFullName": "America/New_York",
            },
        }  # fmt: skip
        return reply({"quoteSummary": {"result": [modules], "error": None}})

    def _quote(self, asked: Asked) -> Response:
        symbols = [s for s in asked.query["symbols"].split(",") if s in self.profiles]
        found = [{"symbol": symbol, **self.profiles[symbol]} for symbol in symbols]
        return reply({"quoteResponse": {"result": found, "error": None}})

    def _options(self, asked: Asked) -> Response:
        symbol = asked.path.rsplit("/", 1)[1]
        contracts = self.chains[symbol]
        if not contracts:
            return reply({"optionChain": {"result": [], "error": None}})
        expirations = sorted({row["expiration"] for row in contracts})
        wanted = int(asked.query.get("date", expirations[0]))
        rows = [row for row in contracts if row["expiration"] == wanted]
        sides = {
            side: [row for row in rows if row["contractSymbol"][-9] == letter]
            for side, letter in (("calls", "C"), ("puts", "P"))
        }
        result = {
            "underlyingSymbol": symbol,
            "expirationDates": expirations,
            "quote": {"regularMarketPrice": 247.5, "regularMarketTime": 1_792_180_799},
            "options": [{"expirationDate": wanted, **sides}],
        }
        return reply({"optionChain": {"result": [result], "error": None}})

    def _front(self, asked: Asked) -> Response:
        if asked.path == "/":
            return text("", **{"Set-Cookie": "A3=d=loopback; Path=/; Max-Age=31536000"})
        return reply({"finance": {"error": "no such page"}}, 404)


def contract(symbol: str, **more: Any) -> dict[str, Any]:
    """A row of a chain by its OCC symbol."""
    day = datetime.strptime(symbol[-15:-9], "%y%m%d").replace(tzinfo=UTC)
    return {
        "contractSymbol": symbol, "expiration": int(day.timestamp()),
        "strike": int(symbol[-8:]) / 1_000, "currency": "USD", "lastPrice": 4.1, "change": 0.0,
        "percentChange": 0.0, "volume": 12, "openInterest": 340, "bid": 4.0, "ask": 4.2,
        "contractSize": "REGULAR", "lastTradeDate": 1_792_180_000, "impliedVolatility": 0.31,
        "inTheMoney": False, **more,
    }  # fmt: skip


def _columns(rows: BarBatch) -> dict[str, Any]:
    names = ("open", "high", "low", "close", "volume")
    quote = {name: [None if v != v else v for v in rows.rows[name].tolist()] for name in names}
    quote["volume"] = [int(volume) for volume in quote["volume"]]
    return {
        "timestamp": (rows.start // _NS).tolist(),
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": quote["close"]}]},
    }


def _span(query: dict[str, str], now: float) -> tuple[int, int]:
    """period1 and period2 in seconds, or the last day."""
    if "period1" in query:
        return int(query["period1"]), int(query["period2"])
    return int(now) - _DAY, int(now)


def _too_much(interval: str, first: int, last: int, now: float) -> str | None:
    days = _DAYS_A_REQUEST.get(interval)
    if days and last - first > days * _DAY:
        return (
            f"{interval} data not available for startTime={first} and endTime={last}. Only {days}"
            f" days worth of {interval} granularity data are allowed to be fetched per request."
        )
    back = _DAYS_BACK.get(interval)
    if back and first < now - back * _DAY:
        return f"The requested range must be within the last {back} days."
    return None


def _period(start: int, end: int) -> dict[str, Any]:
    offset = to_datetime(start).astimezone(NEW_YORK).utcoffset()
    assert offset is not None
    return {
        "timezone": "EST", "start": start // _NS, "end": end // _NS,
        "gmtoffset": int(offset.total_seconds()),
    }  # fmt: skip


def _refusal(what: str, status: int, code: str, said: str) -> Response:
    error = {"result": None, "error": {"code": code, "description": said}}
    return reply({what: error}, status)
