"""Databento's history API on this machine: DBN in zstd, prices, ranges, and faults."""

import asyncio
import base64
from collections import deque
from typing import Any, Final

import numpy as np
import zstandard
from aiohttp import web

from tests.vendors import databento_records as records
from tests.vendors.databento_records import INSTRUMENTS, Event

_FIRST: Final = "2018-05-01T00:00:00.000000000Z"


class HistoryApi:
    """`add` what it answers with. Faults apply to the next requests, in their order."""

    def __init__(self, key: str) -> None:
        self.key_is_valid = True
        self.asked: list[dict[str, str]] = []
        "The forms of timeseries.get_range, as they came."
        self.end = "2030-01-01T00:00:00.000000000Z"
        "Until when there is data."
        self.cost = 0.01
        "Dollars that everything costs."
        self.delay_seconds = 0.0
        self.port = 0
        self._key = key
        self._events: list[Event] = []
        self._faults: deque[web.Response | None] = deque()
        self._spoiled: deque[str] = deque()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        application = web.Application()
        application.router.add_post("/v0/timeseries.get_range", self._get_range)
        application.router.add_post("/v0/metadata.get_cost", self._get_cost)
        application.router.add_get("/v0/metadata.get_dataset_range", self._get_dataset_range)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def add(self, *events: Event) -> None:
        """More of what it answers with; the order does not matter."""
        self._events.extend(events)
        self._events.sort(key=lambda event: event.received)

    # --------------------------------------------------------------------------- faults

    def throttle(self, times: int = 1, retry_after: float | None = None) -> None:
        """The next series get 429."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        for _ in range(times):
            self._faults.append(_failure(429, "rate_limit", "Too many requests", headers))

    def fail(self, times: int = 1, status: int = 500) -> None:
        """The next series get this status."""
        for _ in range(times):
            self._faults.append(_failure(status, "internal", "Something went wrong"))

    def break_off(self, times: int = 1) -> None:
        """The next series get no answer: the connection is cut."""
        self._faults.extend([None] * times)

    def garbage(self, times: int = 1) -> None:
        """The next series are no DBN."""
        self._spoiled.extend(["garbage"] * times)

    def shorten(self, times: int = 1) -> None:
        """The next series end amid a record."""
        self._spoiled.extend(["shorten"] * times)

    # -------------------------------------------------------------------------- answers

    async def _get_range(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(form)
        await asyncio.sleep(self.delay_seconds)
        if self._faults:
            fault = self._faults.popleft()
            if fault is None:
                assert request.transport is not None
                request.transport.abort()
                return web.Response(status=500)
            return fault
        if (refusal := self._refusal(request) or self._wrong(form)) is not None:
            return refusal
        return web.Response(body=self._body(form), content_type="application/octet-stream")

    async def _get_cost(self, request: web.Request) -> web.Response:
        return self._refusal(request) or web.json_response(self.cost)

    async def _get_dataset_range(self, request: web.Request) -> web.Response:
        said = {"start": _FIRST, "end": self.end, "schema": {}}
        return self._refusal(request) or web.json_response(said)

    def _refusal(self, request: web.Request) -> web.Response | None:
        expected = "Basic " + base64.b64encode(f"{self._key}:".encode()).decode()
        if self.key_is_valid and request.headers.get("Authorization") == expected:
            return None
        return _failure(401, "auth_authentication_failed", "Authentication failed.")

    def _wrong(self, form: dict[str, str]) -> web.Response | None:
        if instant(form["end"]) > instant(self.end):
            said = f"Data end is after the available end, {self.end}"
            return _failure(422, "data_end_after_available_end", said)
        if not self._symbols(form):
            said = "None of the symbols could be resolved"
            return _failure(422, "symbology_invalid_request", said)
        return None

    def _symbols(self, form: dict[str, str]) -> list[str]:
        """Raw symbols that a form means."""
        asked = form["symbols"].split(",")
        if form["stype_in"] == "parent":
            roots = {name.removesuffix(".OPT") for name in asked}
            return [name for name in INSTRUMENTS if " " in name and name.split()[0] in roots]
        return [name for name in asked if name in INSTRUMENTS]

    def _body(self, form: dict[str, str]) -> bytes:
        symbols, schema = self._symbols(form), form["schema"]
        start, end = instant(form["start"]), instant(form["end"])
        found = [
            event.shown[schema]
            for event in self._events
            if event.symbol in symbols and start <= event.received < end and schema in event.shown
        ]
        head = records.history_head(form["dataset"], schema, symbols, (start, end))
        plain = head + b"".join(found[: int(form.get("limit", len(found)))])
        spoiled = self._spoiled.popleft() if self._spoiled else None
        if spoiled == "garbage":
            return b"<html>this is no DBN</html>"
        return zstandard.compress(plain[:-7] if spoiled == "shorten" else plain)


def instant(text: str) -> int:
    """Nanoseconds of an instant as the library sends it: a number, or ISO in UTC."""
    if text.isdigit():
        return int(text)
    return int(np.datetime64(text.removesuffix("Z").split("+")[0], "ns").astype(np.int64))


def _failure(
    status: int, case: str, message: str, headers: dict[str, Any] | None = None
) -> web.Response:
    detail = {
        "case": case,
        "message": message,
        "status_code": status,
        "docs": "https://databento.com/docs",
        "payload": {},
    }
    return web.json_response({"detail": detail}, status=status, headers=headers)
