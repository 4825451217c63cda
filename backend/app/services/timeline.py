"""Why an order was made, or was not: bar, columns, signal, checks, wire, executions."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg

from app.core.errors import NotFound
from app.domain.denials import MEANING, Denial
from app.domain.market import Timeframe
from app.domain.users import Caller
from app.repositories import (
    deployment_reports,
    events,
    executions,
    orders,
    risk_violations,
    signals,
    stock_reports,
)
from app.repositories.paging import Row
from app.repositories.stock_data import StockData

BARS: Final = 60
_INSTANT: Final = timedelta(microseconds=1)
_TITLES: Final = {
    "command_received": "Asked for",
    "signal_raised": "Signal",
    "signal_satisfied": "Nothing to do",
    "signal_expired": "Signal expired",
    "target_set": "Target",
    "order_denied": "Denied",
    "order_approved": "Approved",
    "order_submitted": "Sent to the broker",
    "order_accepted": "Accepted by the broker",
    "order_rejected": "Rejected by the broker",
    "order_unknown": "No clear answer",
    "order_filled": "Filled",
    "order_canceled": "Canceled",
    "order_expired": "Expired",
    "cancel_requested": "Cancel asked for",
    "position_changed": "Position",
    "trade_closed": "Trade closed",
}


class Timeline:
    """Puts together what the journal and its folds know of one order or signal."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def of_order(self, caller: Caller, client_order_id: str) -> Row:
        """The life of an order. Raises NotFound."""
        order = await orders.get(self._pool, client_order_id, caller.visible)
        signal = None
        if order["signal_id"]:
            found = await signals.listing(
                self._pool,
                signals.SignalFilter(account_id=order["account_id"], signal_id=order["signal_id"]),
            )(1, None)
            signal = found.items[0] if found.items else None
        return await self._whole(order["account_id"], order, signal)

    async def of_signal(self, caller: Caller, signal_id: str, account_id: int | None) -> Row:
        """The life of a signal, with its newest order where one was made. Raises NotFound."""
        signal = await signals.get(self._pool, signal_id, account_id, caller.visible)
        made = await orders.of_signal(self._pool, signal["account_id"], signal_id)
        return await self._whole(signal["account_id"], made[0] if made else None, signal)

    async def explain(
        self, caller: Caller, deployment_id: int, symbol: str, until: datetime | None
    ) -> Row:
        """Why a deployment's newest order of a symbol was, or was not, made, up to `until`.

        Raises NotFound where it had no opinion yet.
        """
        await deployment_reports.get(self._pool, deployment_id, caller.visible)
        wanted = signals.SignalFilter(
            accounts=caller.visible,
            deployment_id=deployment_id,
            symbol=symbol.upper(),
            end=until + _INSTANT if until else None,  # lists end before their end, this does not
        )
        found = (await signals.listing(self._pool, wanted)(1, None)).items
        if not found:
            when = f" up to {until:%Y-%m-%d %H:%M} UTC" if until else ""
            raise NotFound(
                f"Deployment {deployment_id} raised no signal for {symbol.upper()}{when}.",
                remedy="Its log says when it was warm and what it left out.",
            )
        return await self.of_signal(caller, found[0]["signal_id"], found[0]["account_id"])

    async def _whole(self, account_id: int, order: Row | None, signal: Row | None) -> Row:
        signal_id = signal["signal_id"] if signal else (order or {}).get("signal_id") or ""
        client_order_id = order["client_order_id"] if order else None
        steps = await self._steps(account_id, order, signal)
        found = {
            "order": order,
            "signal": signal,
            "indicator_values": signal["indicator_values"] if signal else {},
            "checks": await risk_violations.checks(
                self._pool, account_id, signal_id, client_order_id
            ),
            "limited_by": list(order["limited_by"]) if order else [],
            "executions": await executions.of_order(self._pool, client_order_id)
            if client_order_id
            else [],
            "steps": steps,
            **await self._bars(account_id, signal),
        }
        if order is None and signal is not None:
            found |= await self._denial(account_id, signal_id)
        return found

    async def _denial(self, account_id: int, signal_id: str) -> Row:
        denial = await risk_violations.of_signal(self._pool, account_id, signal_id)
        if denial is None:
            return {}
        check = {
            "rule": denial["code"],
            "passed": False,
            "value": denial["value"],
            "limit": denial["limit"],
            "scope": denial["scope"],
        }
        return {"denial": check, "denial_detail": denial["detail"] or meaning(denial["code"])}

    async def _bars(self, account_id: int, signal: Row | None) -> Row:
        """Bars up to the one that gave the opinion, of the deployment's timeframe."""
        dataset = await stock_reports.dataset_of(self._pool, account_id)
        if signal is None or dataset is None:
            return {"dataset": dataset}
        timeframe = Timeframe(signal["timeframe"] or Timeframe.M1)
        batch = await StockData(self._pool, dataset).bars(
            signal["symbol"], timeframe, None, signal["at"], BARS
        )
        return {"dataset": dataset, "timeframe": timeframe, "bars": batch}

    async def _steps(self, account_id: int, order: Row | None, signal: Row | None) -> list[Row]:
        stream = f"account:{account_id}"
        correlation = await self._correlation(stream, order, signal)
        if correlation is None:
            return []
        mine = _mine(order, signal)
        return [
            step(row)
            for row in await events.of_correlation(self._pool, stream, correlation)
            if row["type"] in _TITLES and _is_about(row["data"], *mine)
        ]

    async def _correlation(self, stream: str, order: Row | None, signal: Row | None) -> str | None:
        if order is not None:
            found = await events.correlation_of(
                self._pool,
                stream,
                "order_approved",
                ("order", "client_order_id"),
                order["client_order_id"],
                order["created_at"],
            )
            if found is not None:
                return found
        if signal is None:
            return None
        return await events.correlation_of(
            self._pool,
            stream,
            "signal_raised",
            ("signal", "signal_id"),
            signal["signal_id"],
            signal["created_at"],
        )


def step(row: Row) -> Row:
    """An event as a step that a person reads."""
    return {
        "stream": row["stream"],
        "seq": row["seq"],
        "type": row["type"],
        "at": row["occurred_at"],
        "title": _TITLES[row["type"]],
        "detail": said(row["type"], row["data"]),
        "actor": row["actor"],
        "data": row["data"],
    }


def said(kind: str, data: dict[str, Any]) -> str:
    """One sentence about an event."""
    match kind:
        case "signal_raised":
            return _wanted(data["signal"])
        case "order_approved" | "order_denied":
            return _decided(kind, data)
        case "order_filled":
            fill = data["execution"]
            return f"{fill['side']} {fill['quantity']} {fill['symbol']} at {fill['price']}"
        case "position_changed":
            position = data["position"]
            return (
                f"{position['quantity']} {position['symbol']}"
                f" at {position['average_price']} on average"
            )
        case "trade_closed":
            return f"P&L {data['trade']['pnl']} after costs"
        case _:
            return str(data.get("reason", ""))


def _wanted(signal: dict[str, Any]) -> str:
    quantity, symbol = signal.get("quantity"), signal["symbol"]
    target = f"exposure {signal['exposure']:+g} in" if quantity is None else str(quantity)
    reasons = "; ".join(signal.get("reasons", []))
    return f"Hold {target} {symbol}. {reasons}".strip()


def _decided(kind: str, data: dict[str, Any]) -> str:
    if kind == "order_denied":
        return str(data["detail"] or meaning(data["code"]))
    order = data["order"]
    cut = data.get("limited_by") or []
    by = f", cut by {', '.join(cut)}" if cut else ""
    return f"{order['side']} {order['quantity']} {order['symbol']}, {order['type']}{by}"


def meaning(code: str) -> str:
    """A denial code in words."""
    return MEANING[Denial(code)] if code in set(Denial) else code


def _mine(order: Row | None, signal: Row | None) -> tuple[str | None, str | None, Row]:
    either = order or signal or {}
    return (
        order["client_order_id"] if order else None,
        signal["signal_id"] if signal else (order or {}).get("signal_id"),
        either,
    )


def _is_about(data: dict[str, Any], order_id: str | None, signal_id: str | None, row: Row) -> bool:
    """Whether an event of the same cause belongs to this order or signal, not to its siblings."""
    orders_named = set(_named(data, "client_order_id"))
    if orders_named:
        return order_id in orders_named
    signals_named = set(_named(data, "signal_id"))
    if signals_named and signal_id in signals_named:
        return True
    ledger_symbol = (row.get("ledger"), row.get("symbol"))
    for place in ("position", "trade"):
        if place in data:
            return (data[place].get("ledger"), data[place].get("symbol")) == ledger_symbol
    return not signals_named and data.get("type") == "command_received"


def _named(data: dict[str, Any], name: str) -> Iterable[str]:
    for place in (data, *(value for value in data.values() if isinstance(value, dict))):
        if isinstance(place.get(name), str):
            yield place[name]
