"""The emergency stop of a busy platform: acknowledged, cancelled, final, and there after kill -9.

The simulated market runs as fast as it can, its strategies trade, and readers keep the API busy.
"""

import json
import signal
import threading
import time
from contextlib import closing, suppress
from typing import Any

import httpx
import psutil
import psycopg2

from benchmarks.measure import Result, at_most, percentile, scratch_home
from benchmarks.start import Running, running

STOPS = 100
RESTING = 3
"Orders that rest, far from the market, when a stop comes."
READERS = 2
PAUSE_SECONDS = 0.06
"The API limits how many controls a second one caller may ask for."

_CANCELED = """
SELECT extract(epoch FROM max(e.recorded_at) - %s)::float8 * 1000 FROM trading_events e
WHERE e.event_type = 'order_canceled' AND e.payload ->> 'client_order_id' = ANY(%s)
"""
_OPEN = """
SELECT count(*) FROM orders WHERE client_order_id = ANY(%s)
AND status IN ('approved', 'submitted', 'accepted', 'unknown', 'partially_filled')
"""
_SENT = """
SELECT count(*) FROM trading_events e WHERE e.event_type = 'order_submitted'
AND e.recorded_at > %s AND e.recorded_at < %s
"""


def emergency_stop() -> list[Result]:
    with scratch_home() as home, running(home, TRADEWRIGHT_REPLAY_SPEED="0") as platform:
        # Each key has its own allowance: what readers ask for must not cost the stops theirs.
        headers, readers = (
            {"Authorization": f"Bearer {json.loads(said)['key']}"}
            for said in (
                platform.run("keys", "create", "--name", name, "--scopes", scopes, "--json")
                for name, scopes in (("bench", "read,trade,admin"), ("readers", "read"))
            )
        )
        url = platform.run("db", "url").strip()
        with httpx.Client(base_url=platform.url, headers=headers, timeout=30) as web:
            price = _price(web)
            with closing(psycopg2.connect(url)) as database, Busy(platform.url, readers):
                database.autocommit = True
                db = database.cursor()
                stops = [_stop(web, db, price) for _ in range(STOPS)]
            is_latched = _after_kills(platform, web)
        memory = round(platform.memory_mb(), 1)
    acknowledged, unconfirmed, canceled, sent = zip(*stops, strict=True)
    gone = [one for one in canceled if one is not None]
    return [
        at_most("emergency stop: acknowledged, p99", percentile(acknowledged, 0.99), "ms", 250,
                peak_rss_mb=memory),
        at_most("emergency stop: acknowledged, p50", percentile(acknowledged, 0.5), "ms", 250),
        at_most(f"emergency stop: last of {len(gone)} rounds of cancels", max(gone), "ms", 2000),
        at_most("emergency stop: orders sent after it", float(sum(sent)), "orders", 0),
        at_most("emergency stop: gates that were silent", float(sum(unconfirmed)), "gates", 0),
        at_most("emergency stop: not latched after kill -9", float(not is_latched), "times", 0),
    ]  # fmt: skip


def _stop(web: httpx.Client, db: Any, price: float) -> tuple[float, int, float | None, int]:  # noqa: ANN401 - a cursor
    """Milliseconds to the answer, silent gates, milliseconds to the last cancel, orders after."""
    orders = _rest(web, price)
    began = time.perf_counter()
    answer = web.post("/api/trading-engine/emergency-stop", json={"reason": "bench"})
    acknowledged = 1000 * (time.perf_counter() - began)
    said = answer.raise_for_status().json()
    at = _one(db, "SELECT clock_timestamp()")
    latched = _one(db, "SELECT max(latched_at) FROM trading_state")
    deadline = time.monotonic() + 30
    while _one(db, _OPEN, orders) and time.monotonic() < deadline:
        time.sleep(0.005)
    canceled = _one(db, _CANCELED, latched, orders)
    time.sleep(PAUSE_SECONDS)
    until = _one(db, "SELECT clock_timestamp()")
    web.post("/api/trading-engine/resume", json={"reason": "bench"}).raise_for_status()
    return acknowledged, len(said["unconfirmed"]), canceled, _one(db, _SENT, at, until)


def _one(db: Any, question: str, *values: Any) -> Any:  # noqa: ANN401 - whatever was asked
    db.execute(question, values)
    return db.fetchone()[0]


def _price(web: httpx.Client) -> float:
    """Asked once: what readers ask for uses up the allowance of reading."""
    while (quote := web.get("/api/stocks/SPY/quote")).status_code == httpx.codes.NOT_FOUND:
        time.sleep(0.05)  # the market has only just begun
    return float(quote.raise_for_status().json()["last"])


def _rest(web: httpx.Client, price: float) -> list[str]:
    """Limit orders by hand that nothing fills; what a limit denies is not among them."""
    made = []
    for number in range(RESTING):
        order = {"account_id": 1, "symbol": "SPY", "side": "buy", "quantity": "1"}
        order |= {"type": "limit", "limit_price": f"{price * 0.93 - number:.2f}"}
        order |= {"time_in_force": "gtc"}
        said = web.post("/api/orders", json=order).json()
        if said.get("client_order_id"):
            made.append(str(said["client_order_id"]))
        time.sleep(0.1)
    return made


class Busy:
    """Readers that ask for pages of the API, one after the other."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._url, self._headers, self._is_over = url, headers, threading.Event()
        self._threads = [threading.Thread(target=self._read) for _ in range(READERS)]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _read(self) -> None:
        pages = ("orders", "positions", "trading-engine/event-history", "signals")
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=30) as web:
            while not self._is_over.is_set():
                for page in pages:
                    with suppress(httpx.HTTPError):
                        web.get(f"/api/{page}")
                time.sleep(0.02)


def _after_kills(platform: Running, web: httpx.Client) -> bool:
    """Whether trading is still halted after core, then PostgreSQL, was killed and came back."""
    web.post("/api/trading-engine/emergency-stop", json={"reason": "bench"}).raise_for_status()
    found = []
    for sign in ("app.cli core", "postgres"):
        _kill(platform, sign)
        time.sleep(1)
        found.append(_state(web) == "halted")
    return all(found)


def _state(web: httpx.Client) -> str:
    """As the API says, as soon as it can again."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError, KeyError):
            return str(web.get("/api/trading-engine/state").raise_for_status().json()["state"])
        time.sleep(0.05)
    return "unknown"


def _kill(platform: Running, sign: str) -> None:
    for child in psutil.Process(platform.process.pid).children():
        if sign in " ".join(child.cmdline()):
            child.send_signal(signal.SIGKILL)
            return
    raise RuntimeError(f"there is no {sign}")
