"""Loopback brokers as processes of their own: what is killed on our side never takes them along."""

import asyncio
import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import msgspec

BACKEND = Path(__file__).parents[2]
PATIENCE_SECONDS = 60


class Truth(msgspec.Struct, frozen=True):
    """A broker's own book."""

    positions: dict[str, Decimal]
    cash: Decimal
    fills: list[tuple[str, Decimal]]
    "Client order id and quantity of each that is of an order of ours, in order."
    references: list[str]
    "Client order ids of all orders that have one of ours."
    open: list[str]


class Loopback(ABC):
    """A child process that says on its first line where it listens."""

    def __init__(self, name: str, module: str, *arguments: str) -> None:
        self.name = name
        self._argv = (sys.executable, "-m", module, *arguments)
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Any:
        self._process = await asyncio.create_subprocess_exec(
            *self._argv, cwd=BACKEND, env=os.environ, stdout=asyncio.subprocess.PIPE
        )
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), PATIENCE_SECONDS)
        await self.greeted(line.decode().strip())
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    @abstractmethod
    async def greeted(self, line: str) -> None:
        """What its first line says."""

    @property
    @abstractmethod
    def variables(self) -> dict[str, str]:
        """What an adapter has to know."""

    @abstractmethod
    async def begin(self, symbol: str, price: Decimal) -> None:
        """Ten shares are held before us, so that a price of it is known."""

    @abstractmethod
    async def print(self, symbol: str, price: Decimal) -> None:
        """Somebody trades at that price."""

    @abstractmethod
    async def truth(self) -> Truth:
        """Its book as it is now."""


class IbkrProcess(Loopback):
    """The Gateway: TWS's socket protocol, and a control port that takes lines of JSON."""

    def __init__(self) -> None:
        super().__init__("ibkr", "tests.vendors.ibkr")
        self._ports: dict[str, int] = {}

    async def greeted(self, line: str) -> None:
        self._ports = json.loads(line)

    @property
    def variables(self) -> dict[str, str]:
        return {"IBKR_HOST": "127.0.0.1", "IBKR_PORT": str(self._ports["port"])}

    async def do(self, what: str, **given: Any) -> Any:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._ports["control"])
        writer.write(json.dumps({"do": what, **given}).encode() + b"\n")
        answer = json.loads(await asyncio.wait_for(reader.readline(), PATIENCE_SECONDS))
        writer.close()
        assert "error" not in answer, answer
        return answer["ok"]

    async def begin(self, symbol: str, price: Decimal) -> None:
        await self.do("know", symbol=symbol)
        await self.do("fee", amount="0.35")
        await self.do("by_hand", symbol=symbol, side="buy", quantity=10)
        await self.print(symbol, price)

    async def print(self, symbol: str, price: Decimal) -> None:
        await self.do("print", symbol=symbol, price=str(price))

    async def truth(self) -> Truth:
        book: Mapping[str, Any] = await self.do("book")
        ours = [order for order in book["orders"] if order["reference"]]
        return Truth(
            positions={k: Decimal(v) for k, v in book["positions"].items() if Decimal(v)},
            cash=Decimal(book["cash"]),
            fills=sorted(
                (one["reference"], Decimal(one["quantity"]))
                for one in book["fills"]
                if one["reference"]
            ),
            references=[order["reference"] for order in ours],
            open=sorted(order["reference"] for order in ours if order["state"] == "open"),
        )


class AlpacaProcess(Loopback):
    """Alpaca's REST address and its stream of trade updates."""

    def __init__(self, *symbols: str) -> None:
        super().__init__("alpaca", "tests.vendors.alpaca_trading", "--symbols", ",".join(symbols))
        self._http = self._key = self._secret = ""

    async def greeted(self, line: str) -> None:
        _, self._http, self._key, self._secret = line.split()

    @property
    def variables(self) -> dict[str, str]:
        return {
            "ALPACA_BASE_URL": self._http,
            "ALPACA_API_KEY": self._key,
            "ALPACA_SECRET_KEY": self._secret,
        }

    async def do(self, what: str, **given: Any) -> Any:
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            answer = await client.post(f"{self._http}/loopback/{what}", json=given)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def begin(self, symbol: str, price: Decimal) -> None:
        await self.do("hold", symbol=symbol, qty=10, price=float(price))
        await self.print(symbol, price)

    async def print(self, symbol: str, price: Decimal) -> None:
        await self.do("print", symbol=symbol, price=float(price))

    async def truth(self) -> Truth:
        book = await self.do("state")
        known = {order["id"]: order for order in book["orders"]}
        closed = {"filled", "canceled", "expired", "rejected", "replaced"}
        return Truth(
            positions={k: Decimal(v) for k, v in book["positions"].items() if Decimal(v)},
            cash=Decimal(book["cash"]),
            fills=sorted(
                (_root(known, fill["order_id"]), Decimal(fill["qty"])) for fill in book["fills"]
            ),
            references=[one["client_order_id"] for one in book["orders"]],
            open=sorted(
                _root(known, one["id"]) for one in book["orders"] if one["status"] not in closed
            ),
        )


def _root(known: Mapping[str, Any], number: str) -> str:
    """A replaced order goes on under another id at Alpaca; ours is that of the first."""
    order = known[number]
    while order.get("replaces"):
        order = known[order["replaces"]]
    client: str = order["client_order_id"]
    return client
