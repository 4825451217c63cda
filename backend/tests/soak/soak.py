"""Soak the whole product: an hour of live updates, and whether memory, files or connections grow.

    python -m tests.soak.soak [--minutes 60] [--rate 1000]

(in backend/, while the market is open.) `tradewright up` hears a loopback of Alpaca, nine symbols,
nine quotes for each trade; a client listens at the WebSocket and health is asked for every second.
What is measured every ten seconds is fitted by a line after the first quarter, which warms up.
"""

import argparse
import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import numpy as np
import psutil
from websockets.asyncio.client import connect

from app.core.tasks import end
from tests.vendors.alpaca import KEY, SECRET, AlpacaLoopback

TRADEWRIGHT = Path(sys.executable).with_name("tradewright")
SYMBOLS = ("AAPL", "GOOGL", "AMZN", "MSFT", "NVDA", "META", "AVGO", "SPY", "QQQ")
START_SECONDS = 120
BEAT_SECONDS = 0.02
LOOK_SECONDS = 10.0
MEGABYTE = 1 << 20


class Sample(msgspec.Struct, frozen=True):
    """One look at everything.

    Memory is what processes made themselves (anonymous pages): what they map of files and
    libraries comes and goes with whatever else runs on the machine.
    """

    seconds: float
    megabytes: float
    database_megabytes: float
    "PostgreSQL and Redis, of which caches fill up."
    parts: dict[str, float]
    "Megabytes of ours, by the part of `up`."
    files: int
    connections: int
    "To the database."
    sent: int
    heard: int
    "Messages at the WebSocket."
    slowest_health_ms: float


class Line(msgspec.Struct, frozen=True):
    """A quantity over time: where the fitted line begins and ends, and its slope."""

    first: float
    last: float
    an_hour: float


def line(at: Sequence[float], values: Sequence[float]) -> Line:
    """Least squares; `at` in seconds."""
    x = np.asarray(at, dtype=float)
    slope, start = np.polyfit(x - x[0], np.asarray(values, dtype=float), 1)
    end_ = start + slope * (x[-1] - x[0])
    return Line(*(round(float(one), 2) for one in (start, end_, slope * 3600)))


def settled(samples: Sequence[Sample]) -> list[Sample]:
    """Without the first quarter."""
    return list(samples[len(samples) // 4 :])


class Client:
    """A screen: listens to every quote, and asks for health."""

    def __init__(self, address: str, key: str) -> None:
        self._address, self._key = address, key
        self.heard, self.slowest = 0, 0.0

    async def listen(self) -> None:
        async with connect(self._address.replace("http", "ws") + "/ws", max_size=None) as ws:
            await ws.send(json.dumps({"op": "auth", "token": self._key}))
            topics = [f"quotes:{symbol}" for symbol in SYMBOLS] + ["events"]
            await ws.send(json.dumps({"op": "subscribe", "topics": topics}))
            async for _ in ws:
                self.heard += 1

    async def ask(self) -> None:
        async with httpx.AsyncClient(base_url=self._address) as http:
            while True:
                began = time.monotonic()
                (await http.get("/health")).raise_for_status()
                self.slowest = max(self.slowest, (time.monotonic() - began) * 1000)
                await asyncio.sleep(1)


class Vendor(AlpacaLoopback):
    """Updates at a steady rate, which nobody keeps."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0
        for symbol in SYMBOLS:
            self.know(symbol)

    async def make_bars(self) -> None:
        """The vendor's own minute bars, swinging so that averages cross."""
        while True:
            await asyncio.sleep(60 - time.time() % 60 + 1)
            minute = int(time.time()) // 60 - 1
            price = round(200 + 4 * np.sin(minute / 3), 2)
            start = minute * 60 * 1_000_000_000
            bar = {"t": start, "o": price, "h": price + 0.2, "l": price - 0.2, "c": price,
                   "v": 60_000, "n": 600, "vw": price}  # fmt: skip
            for symbol in SYMBOLS:
                self.minutes[symbol].append(bar)
                await self.shout("b", symbol, bar)

    async def talk_on(self, rate: float) -> None:
        began = time.monotonic()
        for number in count(1):
            await self._one(number)
            self.sent = number
            ahead = began + number / rate - time.monotonic()
            if ahead > BEAT_SECONDS:
                await asyncio.sleep(ahead)

    async def _one(self, number: int) -> None:
        symbol, at = SYMBOLS[number % len(SYMBOLS)], time.time_ns()
        price = round(200 + (number // 500 % 40) * 0.01, 2)
        if number % 10:
            message = {"t": at, "bx": "V", "bp": price, "bs": 100, "ax": "V", "ap": price + 0.01,
                       "as": 100, "c": ["R"], "z": "C"}  # fmt: skip
            await self.shout("q", symbol, message)
        else:
            message = {"t": at, "x": "V", "p": price, "s": 100, "c": ["@"], "i": number, "z": "C"}
            await self.shout("t", symbol, message)


@contextmanager
def product(home: Path, vendor: Vendor, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`tradewright up` in a home of its own, and where it listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    foreign = ("TRADEWRIGHT_", "DATABASE_", "REDIS_", "ALPACA_", "LIVE_", "API_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    variables = {
        "TRADEWRIGHT_HOME": str(home), "TRADEWRIGHT_ENV_FILE": os.devnull, "API_PORT": str(port),
        "LIVE_FEEDS": "alpaca", "LIVE_SYMBOLS": ",".join(SYMBOLS), "ALPACA_API_KEY": KEY,
        "ALPACA_SECRET_KEY": SECRET, "ALPACA_DATA_URL": vendor.http, "ALPACA_STREAM_URL": vendor.ws,
        "ALPACA_BASE_URL": vendor.http,
    }  # fmt: skip
    with log.open("wb") as output:
        up = subprocess.Popen([TRADEWRIGHT, "up"], env=kept | variables, stdout=output,
                              stderr=subprocess.STDOUT, start_new_session=True)  # fmt: skip
        try:
            yield up, f"http://127.0.0.1:{port}"
        finally:
            up.terminate()
            up.wait(60)


async def healthy(address: str) -> None:
    """Wait until it answers."""
    async with asyncio.timeout(START_SECONDS), httpx.AsyncClient(base_url=address) as http:
        while True:
            with suppress(httpx.HTTPError):
                if (await http.get("/health/ready")).is_success:
                    return
            await asyncio.sleep(0.2)


def command(home: Path, *words: str) -> str:
    """What the command line answers in that home."""
    environment = os.environ | {"TRADEWRIGHT_HOME": str(home), "TRADEWRIGHT_ENV_FILE": os.devnull}
    return subprocess.run(
        [TRADEWRIGHT, *words], env=environment, check=True, capture_output=True, text=True
    ).stdout


def measured(up: psutil.Process) -> tuple[dict[str, float], float, int]:
    """Megabytes of ours by part, megabytes of the servers, open files of ours."""
    parts: dict[str, float] = {}
    servers, files = 0.0, 0
    for process in [up, *up.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            megabytes = anonymous(process.pid)
            if re.search(r"postgres|valkey|redis", process.name()):
                servers += megabytes
            else:
                part = process.cmdline()[-1].removesuffix(".py")
                parts[part] = round(parts.get(part, 0.0) + megabytes, 1)
                files += process.num_fds()
    return parts, round(servers, 1), files


def anonymous(pid: int) -> float:
    """Megabytes of pages that belong to no file, as Linux counts them, swapped out or not."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.findall(r"^(?:Anonymous|Swap): +(\d+) kB$", rollup, re.MULTILINE)
    return sum(int(kilobytes) for kilobytes in found) * 1024 / MEGABYTE


@asynccontextmanager
async def running(*jobs: Any) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Tasks that end with the block; one that ends before has failed."""
    tasks = [asyncio.create_task(job) for job in jobs]
    try:
        yield tasks
    finally:
        await end(tasks)


async def soak(home: Path, minutes: float, rate: float, log: Path) -> list[Sample]:
    """So many minutes of so many updates a second. Raises what a part of it died of."""
    samples: list[Sample] = []
    async with Vendor() as vendor:
        with product(home, vendor, log) as (up, address):
            await healthy(address)
            made = json.loads(command(home, "keys", "create", "--name", "soak", "--scopes",
                                      "read", "--json"))  # fmt: skip
            client = Client(address, made["key"])
            db = await asyncpg.connect(command(home, "db", "url").strip())
            process, began = psutil.Process(up.pid), time.monotonic()
            async with running(
                vendor.talk_on(rate), vendor.make_bars(), client.listen(), client.ask()
            ) as tasks:
                while time.monotonic() - began < minutes * 60:
                    done, _ = await asyncio.wait(
                        tasks, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in done:
                        task.result()
                    if done or up.poll() is not None:
                        raise RuntimeError(f"a part of it ended; see {log}")
                    samples.append(await _look(process, db, client, vendor.sent, began))
            await db.close()
    return samples


async def _look(
    up: psutil.Process, db: asyncpg.Connection, client: Client, sent: int, began: float
) -> Sample:
    parts, servers, files = await asyncio.to_thread(measured, up)
    connections = await db.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    )
    slowest, client.slowest = client.slowest, 0.0
    return Sample(
        seconds=round(time.monotonic() - began, 1),
        megabytes=round(sum(parts.values()), 1),
        database_megabytes=servers,
        parts=parts,
        files=files,
        connections=connections - 1,
        sent=sent,
        heard=client.heard,
        slowest_health_ms=round(slowest, 1),
    )


def summary(samples: Sequence[Sample]) -> Mapping[str, Any]:
    """The slopes, and what went through."""
    kept = settled(samples)
    at = [one.seconds for one in kept]
    first, last = kept[0], kept[-1]
    wanted = ("megabytes", "database_megabytes", "files", "connections")
    lines = {name: line(at, [getattr(one, name) for one in kept]) for name in wanted}
    parts = {
        part: line(at, [one.parts.get(part, 0.0) for one in kept]) for part in sorted(last.parts)
    }
    return {
        **msgspec.to_builtins(lines),
        "parts": msgspec.to_builtins(parts),
        "minutes": round(samples[-1].seconds / 60, 1),
        "updates_a_second": round((last.sent - first.sent) / (last.seconds - first.seconds), 1),
        "updates": last.sent,
        "heard": last.heard,
        "slowest_health_ms": max(one.slowest_health_ms for one in kept),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--log", type=Path, default=Path(os.devnull), help="output of `up`")
    parser.add_argument("--samples", type=Path, help="write each look there, as lines of JSON")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what we started ends with us
    with tempfile.TemporaryDirectory(prefix="tradewright-soak-") as folder:
        Path(folder).chmod(0o711)
        samples = asyncio.run(soak(Path(folder) / "home", asked.minutes, asked.rate, asked.log))
    if asked.samples:
        lines = [json.dumps(msgspec.to_builtins(one)) + "\n" for one in samples]
        asked.samples.write_text("".join(lines))
    sys.stdout.write(json.dumps(summary(samples), indent=2) + "\n")


if __name__ == "__main__":
    main()
