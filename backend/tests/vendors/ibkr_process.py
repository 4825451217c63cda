"""The loopback Gateway as a process of its own: it outlives whoever trades through it.

`python -m tests.vendors.ibkr [--port 4002] [--control 4003]` prints both ports as one line of JSON.
The control port takes lines of JSON, `{"do": "print", "symbol": "AAPL", "price": 170.5}`, and
answers each with one: `{"ok": …}` or `{"error": "…"}`.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.vendors.exchange import Exchange, Ticket
from tests.vendors.ibkr import IbkrLoopback
from tests.vendors.ibkr_orders import execution_id


class Control:
    """What may be asked of a running Gateway: prints, faults, and what it has."""

    def __init__(self, server: IbkrLoopback) -> None:
        orders, market = server.orders, server.orders.exchange
        self._doing: dict[str, Callable[..., Any]] = {
            "print": market.print,
            "close": market.close,
            "book": lambda: book(market),
            "know": lambda symbol: server.market.know(symbol).con_id,
            "cash": lambda amount: setattr(market, "cash", Decimal(str(amount))),
            "fee": lambda amount: setattr(market, "fee", Decimal(str(amount))),
            "drop": server.drop,
            "mute": server.mute,
            "delay": server.delay,
            "duplicate": server.duplicate,
            "reorder": server.reorder,
            "restart": server.restart,
            "kill": server.kill,
            "start": server.start,
            "lose_servers": server.lose_servers,
            "find_servers": server.find_servers,
            "reject": orders.reject,
            "swallow": orders.swallow,
            "lose_acks": orders.lose_acks,
            "hold_news": orders.hold_news,
            "by_hand": lambda **terms: orders.by_hand(**_exact(terms)).number,
            "bust": lambda fill: orders.bust(market.fills[fill - 1]),
            "correct": lambda fill, **to: orders.correct(market.fills[fill - 1], **_exact(to)),
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until it ends."""
        while line := await reader.readline():
            try:
                answer: dict[str, Any] = {"ok": await self.do(**json.loads(line))}
            except Exception as error:  # noqa: BLE001  the answer says what was wrong
                answer = {"error": f"{type(error).__name__}: {error}"}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def do(self, do: str, **given: Any) -> Any:
        """One request by its name."""
        done = self._doing[do](**given)
        return await done if asyncio.iscoroutine(done) else done


def book(market: Exchange) -> dict[str, Any]:
    """The broker's truth: every order and fill that ever was, positions and cash."""
    return {
        "orders": [_ticket(ticket) for ticket in market.tickets],
        "fills": [
            {
                "execution_id": execution_id(fill), "reference": fill.ticket.reference,
                "symbol": fill.ticket.symbol, "side": fill.ticket.side,
                "quantity": str(fill.quantity), "price": str(fill.price), "fee": str(fill.fee),
            }
            for fill in market.fills
        ],
        "positions": {symbol: str(held) for symbol, held in market.positions.items()},
        "cash": str(market.cash),
    }  # fmt: skip


def _ticket(ticket: Ticket) -> dict[str, Any]:
    return {
        "number": ticket.number,
        "reference": ticket.reference,
        "symbol": ticket.symbol,
        "side": ticket.side,
        "quantity": str(ticket.quantity),
        "filled": str(ticket.filled),
        "state": ticket.state,
    }


def _exact(terms: dict[str, Any]) -> dict[str, Any]:
    """Prices and quantities as decimals."""
    return {k: Decimal(str(v)) if isinstance(v, int | float) else v for k, v in terms.items()}


async def run(port: int, control: int) -> None:
    """Serve until killed."""
    server = IbkrLoopback()
    server.port = port
    async with server:
        controls = await asyncio.start_server(Control(server).serve, "127.0.0.1", control)
        port_of_control = controls.sockets[0].getsockname()[1]
        sys.stdout.write(json.dumps({"port": server.port, "control": port_of_control}) + "\n")
        sys.stdout.flush()
        async with controls:
            await controls.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="A TWS on this machine that is none.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control", type=int, default=0)
    given = parser.parse_args()
    asyncio.run(run(given.port, given.control))
