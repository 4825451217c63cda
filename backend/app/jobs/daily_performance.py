"""Works out how each ledger and account did in each session that has ended."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import accumulate
from typing import Any, Final

import asyncpg
import msgspec

from app.core.errors import InvalidInput
from app.domain.events import PerformanceRecorded
from app.domain.ports import Entry
from app.jobs.registry import JobContext, Result, job
from app.jobs.schedules import Cron
from app.repositories import accounts, daily_performance
from app.repositories.accounts import Account
from app.repositories.daily_performance import ACCOUNT, Day, Standing, Traded
from app.repositories.paging import Row

AT_ONCE: Final = 250
"Sessions of an account a run; a simulation may have ended more, and the next run has them."
ZERO: Final = Decimal(0)
Ledgers = Mapping[str, Standing]


@job(
    "daily_performance",
    title="Daily performance of deployments and accounts",
    schedule=Cron("5,35 * * * *"),
)
async def run(context: JobContext, payload: Mapping[str, Any]) -> Result:
    """Sessions that ended since the last run; `{"since": "2026-03-02"}`: again from after it on."""
    since, recorded = _since(payload), {}
    listed = await accounts.active(context.pool)
    for number, account in enumerate(listed):
        context.progress.count(number, len(listed), f"accounts were worked out; now {account.name}")
        found = await daily_performance.sessions(context.pool, account.id, since, AT_ONCE)
        started: Ledgers | None = None
        for row in found:
            async with context.pool.acquire() as db, db.transaction():
                started = await _session(context, db, account, row, started)
        if found:
            recorded[account.name] = {"sessions": len(found), "until": found[-1]["session"]}
    return {"recorded": recorded}


def _since(payload: Mapping[str, Any]) -> date | None:
    given = payload.get("since")
    try:
        return None if given is None else date.fromisoformat(str(given))
    except ValueError:
        raise InvalidInput(
            f"{given!r} is no date.", field="since", remedy="Write it as 2026-03-02."
        ) from None


async def _session(
    context: JobContext,
    db: asyncpg.Connection,
    account: Account,
    session: Row,
    started: Ledgers | None,
) -> Ledgers:
    """Record one session; how the ledgers stood at its end."""
    before, at, day = session["before"], session["at"], session["session"]
    if started is None:
        started = await daily_performance.standing(db, account.id, before)
    ended = await daily_performance.standing(db, account.id, at)
    traded = await daily_performance.traded(db, account.id, before, at)
    days = [
        measured(account.id, ledger, day, started[ledger], ended[ledger], traded.get(ledger))
        for ledger in sorted(ended)
        if not ended[ledger].is_unused
    ]
    whole = [_sum(account.starting_cash, list(one.values())) for one in (started, ended)]
    total = _together(list(traded.values()))
    days.append(measured(account.id, ACCOUNT, day, whole[0], whole[1], total))
    await _store(context, db, days, at)
    return ended


def measured(
    account_id: int,
    ledger: str,
    day: date,
    started: Standing,
    ended: Standing,
    traded: Traded | None,
) -> Day:
    """A session's figures, before its drawdown. Money that was paid in or out is no return."""
    closed = traded or Traded()
    made, base = ended.made - started.made, started.equity + ended.paid_in - started.paid_in
    return Day(
        account_id=account_id,
        ledger=ledger,
        date=day,
        starting_equity=started.equity,
        ending_equity=ended.equity,
        realized_pnl=closed.pnl,
        unrealized_pnl=made - closed.pnl,
        commission=ended.commission - started.commission,
        total_return=float(made / base) if base > 0 else 0.0,
        drawdown=0.0,
        exposure=float(ended.exposure / ended.equity) if ended.equity > 0 else 0.0,
        trades=closed.trades,
        winning_trades=closed.winning,
    )


def fall(returns: Sequence[float]) -> float:
    """How far the last of these returns is below the peak so far, as a positive fraction."""
    values = list(accumulate(returns, lambda value, one: value * (1 + one), initial=1.0))
    peak = max(values)
    return max(0.0, 1 - values[-1] / peak)


async def _store(
    context: JobContext, db: asyncpg.Connection, days: Sequence[Day], at: datetime
) -> None:
    events = []
    for day in days:
        before = await daily_performance.returns(db, day.account_id, day.ledger, day.date)
        drawdown = fall([*before, day.total_return])
        if await daily_performance.store(db, msgspec.structs.replace(day, drawdown=drawdown)):
            events.append(_event(day, drawdown, at))
    if events:
        await context.journal.append_within(db, [Entry(event) for event in events])


def _event(day: Day, drawdown: float, at: datetime) -> PerformanceRecorded:
    return PerformanceRecorded(
        account_id=day.account_id,
        ledger=day.ledger,
        session=day.date,
        equity=day.ending_equity,
        pnl=day.realized_pnl + day.unrealized_pnl,
        total_return=day.total_return,
        drawdown=drawdown,
        at=at,
    )


def _sum(capital: Decimal, ledgers: Sequence[Standing]) -> Standing:
    """The account: its own cash once, and what all ledgers were paid and have made."""
    return Standing(
        capital=capital,
        paid_in=sum((one.paid_in for one in ledgers), ZERO),
        made=sum((one.made for one in ledgers), ZERO),
        exposure=sum((one.exposure for one in ledgers), ZERO),
        commission=sum((one.commission for one in ledgers), ZERO),
    )


def _together(ledgers: Sequence[Traded]) -> Traded:
    return Traded(
        trades=sum(one.trades for one in ledgers),
        winning=sum(one.winning for one in ledgers),
        pnl=sum((one.pnl for one in ledgers), ZERO),
    )
