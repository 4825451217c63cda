"""Why was there no trade on a symbol at an instant? Answered from what is stored."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import asyncpg
import msgspec

from app.core.errors import InvalidInput, NotFound
from app.domain.deployments import MANUAL, TradingState, ledger_of
from app.domain.market import DURATIONS, Bar, Timeframe
from app.domain.users import Caller
from app.repositories import (
    account_reports,
    data_gaps,
    executions,
    explanations,
    orders,
    risk_violations,
    signals,
    stock_reports,
    stocks,
)
from app.repositories.paging import Row
from app.repositories.signals import SignalFilter

_INSTANT: Final = timedelta(microseconds=1)
_STATES: Final = {
    "deployment_paused": "paused",
    "deployment_stopped": "stopped",
    "deployment_failed": "failed",
}


class Moment(msgspec.Struct, kw_only=True):
    """A slice of an account's stream, and a symbol in it."""

    account_id: int
    stream: str
    dataset: str
    symbol: str
    seq: int
    correlation: str | None
    end: datetime
    base: Timeframe
    warm_up: bool
    bars: dict[Timeframe, Bar]


class Explanations:
    """Reads what was known, decided and answered about a symbol at an instant."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def explain(
        self, caller: Caller, symbol: str, at: datetime, account_id: int | None = None
    ) -> Row:
        """Bar, state, and each deployment's values, signal, checks, sizing and broker's answer.

        Raises InvalidInput for an account that is not named or not there, NotFound where the
        engine had seen nothing by then.
        """
        account = await self._account(caller, account_id)
        moment = await self._moment(account, symbol.upper(), at)
        state = await self._state(moment)
        deployed = await explanations.deployments_on(self._pool, account, moment.symbol)
        found = [await self._deployment(moment, one) for one in deployed]
        by_hand = await self._by_hand(moment)
        bar = moment.bars.get(moment.base)
        missing = None if moment.bars else await self._missing(moment)
        answer = [
            *_about_slice(moment, at, missing),
            *_about_state(state),
            *(one["why"] for one in (*found, *by_hand)),
        ]
        if not deployed and not by_hand:
            answer.append(f"Nothing of this account trades {moment.symbol}.")
        return {
            "account_id": account,
            "symbol": moment.symbol,
            "at": at,
            "slice_end": moment.end,
            "seq": moment.seq,
            "warm_up": moment.warm_up,
            "bar": bar and msgspec.to_builtins(bar),
            "missing": missing,
            "trading_state": state["state"],
            "trading_state_reason": state["reason"],
            "deployments": [*found, *by_hand],
            "answer": answer,
        }

    # ---------------------------------------------------------------------------- where, when

    async def _account(self, caller: Caller, account_id: int | None) -> int:
        visible = await account_reports.ids(self._pool, caller.visible)
        if account_id is None and len(visible) == 1:
            return visible[0]
        if account_id is None or account_id not in visible:
            what = f"There is no account {account_id}." if account_id else "Which account?"
            known = ", ".join(map(str, visible)) or "none yet"
            raise InvalidInput(what, field="account_id", remedy=f"There are: {known}.")
        return account_id

    async def _moment(self, account: int, symbol: str, at: datetime) -> Moment:
        stream = f"account:{account}"
        row = await explanations.slice_at(self._pool, stream, at)
        if row is None:
            raise NotFound(
                f"Account {account} had seen no market by {at:%Y-%m-%d %H:%M} UTC.",
                remedy="Its engine was not running yet, or what it saw was archived.",
            )
        data = row["data"]
        bars = (msgspec.convert(bar, Bar) for bar in data["bars"] if bar["symbol"] == symbol)
        return Moment(
            account_id=account,
            stream=stream,
            dataset=await stock_reports.dataset_of(self._pool, account) or "",
            symbol=symbol,
            seq=row["seq"],
            correlation=row["correlation_id"],
            end=row["occurred_at"],
            base=Timeframe(data["base"]),
            warm_up=bool(data.get("warm_up")),
            bars={bar.timeframe: bar for bar in bars},
        )

    async def _state(self, moment: Moment) -> dict[str, Any]:
        kinds = ("trading_halted", "trading_resumed")
        row = await explanations.last_of(self._pool, moment.stream, kinds, moment.seq)
        if row is None or row["type"] == "trading_resumed":
            return {"state": TradingState.ACTIVE, "reason": None, "since": None}
        data = row["data"]
        return {"state": data["state"], "reason": data["reason"], "since": row["occurred_at"]}

    async def _missing(self, moment: Moment) -> str:
        """Why the slice has no bar of the symbol, as far as it is known."""
        start = moment.end - DURATIONS[moment.base]
        late = {"bar.symbol": moment.symbol, "bar.end": f"{moment.end:%Y-%m-%dT%H:%M:%SZ}"}
        found = await explanations.last_of(
            self._pool, moment.stream, ("bar_late",), moment.seq + 10_000, late
        )
        if found is not None:
            return "It came after the slice was closed: it is stored, and never traded."
        try:
            stock = (await stocks.get(self._pool, moment.symbol)).id
        except NotFound:
            return f"There is no stock {moment.symbol}."
        key = moment.dataset, stock, moment.base
        gaps = await data_gaps.of_series(self._pool, key, start - timedelta(days=1), moment.end)
        for gap in gaps:
            if gap["start"] <= start < gap["end"]:
                return f"The gap ledger says: {gap['state']}."
        return "No provider sent one: nobody traded it in that time, or it was not followed."

    # ------------------------------------------------------------------------------ deciders

    async def _deployment(self, moment: Moment, deployed: Row) -> Row:
        """One deployment at that slice."""
        found = {
            "deployment_id": deployed["id"],
            "ledger": ledger_of(deployed["id"]),
            "strategy": deployed["strategy"],
            "timeframe": deployed["timeframe"],
            "capital": deployed["capital"],
            "held": await self._held(moment, ledger_of(deployed["id"])),
            "indicator_values": {},
            **_nothing(),
        }
        life = await explanations.life_at(self._pool, moment.stream, deployed["id"], moment.seq)
        found["state"], asleep = _awake(life)
        name = f"Deployment {deployed['id']} ({deployed['strategy']})"
        if asleep is not None:
            return {**found, "why": f"{name} {asleep}"}
        bar = moment.bars.get(Timeframe(deployed["timeframe"]))
        if bar is not None:
            found["indicator_values"] = await self._values(moment, deployed, bar)
        here, before = await self._signals(moment, deployed["id"])
        if here is not None:
            found |= await self._outcome(moment, here)
            return {**found, "why": f"{name} {found['why']}"}
        if before is not None:
            found |= await self._outcome(moment, before)
        found["is_earlier"] = before is not None
        quiet = _quiet(moment, deployed, bar, found, before)
        return {**found, "why": f"{name} {quiet}"}

    async def _by_hand(self, moment: Moment) -> list[Row]:
        """What people asked for since the slice before."""
        wanted = SignalFilter(
            account_id=moment.account_id,
            symbol=moment.symbol,
            start=moment.end - DURATIONS[moment.base],
            end=moment.end + _INSTANT,
        )
        rows = (await signals.listing(self._pool, wanted)(100, None)).items
        found = []
        for signal in (row for row in rows if row["ledger"] == MANUAL):
            outcome = await self._outcome(moment, signal)
            found.append(
                {
                    "deployment_id": None,
                    "ledger": MANUAL,
                    "held": await self._held(moment, MANUAL),
                    "indicator_values": {},
                    "state": "running",
                    **outcome,
                    "why": f"A person {outcome['why']}",
                }
            )
        return found

    async def _values(self, moment: Moment, deployed: Row, bar: Bar) -> dict[str, float]:
        rows = await explanations.values_at(
            self._pool,
            moment.dataset,
            moment.symbol,
            deployed["timeframe"],
            deployed["strategy"],
            bar.start,
        )
        given = deployed["parameters"].items()
        mine = [row for row in rows if given <= row["metadata"].get("parameters", {}).items()]
        return {row["name"].rpartition(").")[2]: row["value"] for row in mine}

    async def _held(self, moment: Moment, ledger: str) -> str:
        """What the ledger held when the slice came."""
        wanted = {"position.ledger": ledger, "position.symbol": moment.symbol}
        kinds = ("position_changed", "position_adjusted")
        row = await explanations.last_of(self._pool, moment.stream, kinds, moment.seq, wanted)
        return str(row["data"]["position"]["quantity"]) if row else "0"

    async def _signals(self, moment: Moment, deployment_id: int) -> tuple[Row | None, Row | None]:
        """The signal of this slice, and the last one before it."""
        wanted = SignalFilter(
            account_id=moment.account_id,
            deployment_id=deployment_id,
            symbol=moment.symbol,
            end=moment.end + _INSTANT,
        )
        rows = (await signals.listing(self._pool, wanted)(2, None)).items
        here = rows[0] if rows and rows[0]["at"] == moment.end else None
        rest = rows[1:] if here else rows
        return here, (rest[0] if rest else None)

    # ------------------------------------------------------------------------------- outcomes

    async def _outcome(self, moment: Moment, signal: Row) -> Row:
        """What became of a signal: checks, sizing, order and the broker's answer."""
        account, signal_id = moment.account_id, signal["signal_id"]
        made = (await orders.of_signal(self._pool, account, signal_id))[::-1]
        first = next((one for one in made if one["leg"] in ("entry", "exit", "flatten")), None)
        identity = first["client_order_id"] if first else None
        denial = await risk_violations.of_signal(self._pool, account, signal_id)
        return {
            "signal": signal,
            "checks": await risk_violations.checks(self._pool, account, signal_id, identity),
            "denial": denial,
            "order": first,
            "limited_by": list(first["limited_by"]) if first else [],
            "executions": await executions.of_order(self._pool, identity) if identity else [],
            "sizing": await self._sizing(moment, signal),
            "why": " ".join(_said(signal, first, denial)),
            "is_earlier": False,
        }

    async def _sizing(self, moment: Moment, signal: Row) -> dict[str, Any]:
        """Wanted exposure and the quantity that it stood for when it was raised."""
        wanted = {"target.signal_id": signal["signal_id"]}
        upto = moment.seq + 1_000
        row = await explanations.last_of(self._pool, moment.stream, ("target_set",), upto, wanted)
        return {
            "exposure": signal["exposure"],
            "price": str(signal["price"]),
            "target_quantity": str(row["data"]["target"]["quantity"]) if row else None,
        }


def _nothing() -> Row:
    return {
        "signal": None, "checks": [], "denial": None, "order": None, "limited_by": [],
        "executions": [], "sizing": None, "is_earlier": False,
    }  # fmt: skip


def _awake(life: Row | None) -> tuple[str, str | None]:
    """State of a deployment after that event, and why it decided nothing where it did not."""
    if life is None:
        return "created", "had not been started yet."
    state = _STATES.get(life["type"], "running")
    if state == "running":
        return state, None
    reason = life["data"].get("reason") or "no reason given"
    return state, f"was {state} since {life['occurred_at']:%Y-%m-%d %H:%M} UTC: {reason}."


def _about_slice(moment: Moment, at: datetime, missing: str | None) -> Iterator[str]:
    if at - moment.end >= 2 * DURATIONS[moment.base]:
        yield (
            f"The engine got no bars after {moment.end:%Y-%m-%d %H:%M} UTC: the exchange was"
            " closed, the feed silent, or the engine not running."
        )
    if moment.warm_up:
        yield "The bars came after an outage: they only moved indicators, nothing was decided."
    if missing is not None:
        yield f"There was no bar of {moment.symbol} in that slice. {missing}"


def _about_state(state: dict[str, Any]) -> Iterator[str]:
    if state["state"] == TradingState.HALTED:
        yield f"Trading was halted since {state['since']:%Y-%m-%d %H:%M} UTC: {state['reason']}."
    elif state["state"] == TradingState.REDUCING:
        since = f"{state['since']:%Y-%m-%d %H:%M}"
        yield f"Only reductions were sent since {since} UTC: {state['reason']}."


def _said(signal: Row, order: Row | None, denial: Row | None) -> Iterator[str]:
    """What a signal wanted and what came of it, in words."""
    reasons = "; ".join(signal["reasons"] or [])
    yield f"wanted {_wanted(signal)} at {signal['price']}" + (f" ({reasons})." if reasons else ".")
    if denial is not None:
        yield f"Denied at {denial['at']:%H:%M}: {denial['detail']}"
    if order is not None:
        cut = ", ".join(order["limited_by"] or [])
        yield (
            f"Order {order['client_order_id']}: {order['side']} {_plain(order['quantity'])}"
            + (f" (cut by {cut})" if cut else "")
            + f" is {order['status']}"
            + (f": {order['reason']}." if order["reason"] else ".")
        )
    elif signal["outcome"] == "satisfied":
        yield "Nothing had to be done: that was held already."
    elif signal["outcome"] == "expired":
        yield "It came to nothing before its time was over."
    elif denial is None:
        yield "It has had no outcome yet."


def _wanted(signal: Row) -> str:
    if signal["quantity"] is not None:
        return f"to hold {_plain(signal['quantity'])}"
    return f"an exposure of {signal['exposure']:+g}" if signal["exposure"] else "to be flat"


def _plain(quantity: Decimal) -> str:
    """Without the zeros that the table pads it with."""
    return f"{quantity.normalize():f}"


def _quiet(moment: Moment, deployed: Row, bar: Bar | None, found: Row, before: Row | None) -> str:
    """Why a running deployment raised no signal."""
    if moment.warm_up:
        return "only looked on, as the slice came after an outage."
    if bar is None:
        return f"decides by bars of {deployed['timeframe']}, and none ended here."
    if before is not None:
        since = f"{before['at']:%Y-%m-%d %H:%M}"
        return f"had no new opinion: the last one, of {since} UTC, still stood. It {found['why']}"
    if not found["indicator_values"]:
        return "had no values at this bar: it was still warming up, or none were kept."
    return "had no opinion but to stay flat, as ever since it was started."
