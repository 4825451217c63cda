"""Corporate actions: what changes the meaning of older prices, and what is held."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from app.core.clock import now
from app.core.errors import InvalidInput
from app.marketdata.ports import Action
from app.repositories import audit, stocks
from app.repositories.audit import Act
from app.repositories.paging import Db, Row

_EXCHANGE_TIME: Final = ZoneInfo("America/New_York")
_GRID: Final = Decimal("1e-8")
_LARGEST: Final = Decimal(10) ** 11
_TOLD: Final = ("pay_date", "ratio", "amount", "currency", "new_symbol", "known_at")
"What a source may tell otherwise another time."
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "split": ("ratio",),
    "dividend": ("amount",),
    "symbol_change": ("new_symbol",),
}

_LOCK: Final = "SELECT pg_advisory_xact_lock(hashtext('corporate_actions'), hashtext($1))"
_KNOWN: Final = """
SELECT a.id, s.symbol, a.kind, a.ex_date, a.pay_date, a.ratio, a.amount, a.currency, a.new_symbol,
       a.known_at, a.details
FROM corporate_actions a JOIN stocks s ON s.id = a.stock_id
WHERE a.dataset = $1 AND a.source = $2 AND s.symbol = ANY($3)
"""
_INSERT: Final = """
INSERT INTO corporate_actions (dataset, source, stock_id, kind, ex_date, pay_date, ratio, amount,
                               currency, new_symbol, known_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
_UPDATE: Final = """
UPDATE corporate_actions
SET pay_date = $2, ratio = $3, amount = $4, currency = $5, new_symbol = $6, known_at = $7,
    details = jsonb_set(details, '{before}', coalesce(details -> 'before', '[]') || $8::jsonb)
WHERE id = $1
"""
_LOAD: Final = """
SELECT DISTINCT ON (a.ex_date, s.symbol, a.kind)
       s.symbol, a.kind, a.ex_date, trim_scale(a.ratio) AS ratio, trim_scale(a.amount) AS amount,
       a.currency, a.pay_date, a.new_symbol,
       CASE WHEN a.ex_date >= $6::date THEN greatest(a.known_at, a.created_at) ELSE a.known_at END
         AS known_at
FROM corporate_actions a JOIN stocks s ON s.id = a.stock_id
WHERE a.dataset = $1 AND ($2::text[] IS NULL OR s.symbol = ANY($2))
  AND ($3::date IS NULL OR a.ex_date >= $3) AND ($4::date IS NULL OR a.ex_date < $4)
  AND ($5::timestamptz IS NULL OR a.known_at <= $5)
ORDER BY a.ex_date, s.symbol, a.kind, a.updated_at DESC, a.id DESC
"""


class Stored(msgspec.Struct, kw_only=True):
    """What became of actions that were to be stored."""

    inserted: int = 0
    changed: int = 0
    "Replaced a stored one that said otherwise; what it said is kept in `details` and audited."
    unchanged: int = 0


async def store(
    pool: asyncpg.Pool,
    dataset: str,
    actions: Sequence[Action],
    source: str,
    *,
    audit_key: bytes | None = None,
    actor: str = "system",
) -> Stored:
    """Remember what one source tells, all or nothing. Telling it again changes nothing.

    Several dividends of a day are one. A changed action replaces the one of the same source,
    symbol, kind and ex-date; the audit trail (given its key) and the row keep what was told before.
    Raises InvalidInput that names action and field; nothing is stored then.
    """
    told = _together(_checked(one) for one in actions)
    if not told:
        return Stored()
    made = {one.symbol: await stocks.ensure(pool, one.symbol) for one in told}
    for symbol in {one.new_symbol for one in told if one.new_symbol}:
        await stocks.ensure(pool, symbol)
    report = Stored()
    async with pool.acquire() as db, db.transaction():
        await db.execute(_LOCK, dataset)
        rows = await db.fetch(_KNOWN, dataset, source, list(made))
        known = {(row["symbol"], row["kind"], row["ex_date"]): row for row in rows}
        for one in told:
            before = known.get((one.symbol, one.kind, one.ex_date))
            values = [getattr(one, name) for name in _TOLD]
            if before is None:
                keys = (dataset, source, made[one.symbol].id, one.kind, one.ex_date)
                await db.execute(_INSERT, *keys, *values)
                report.inserted += 1
            elif [before[name] for name in _TOLD] == values:
                report.unchanged += 1
            else:
                await _replace(db, before, one, audit_key, actor)
                report.changed += 1
    return report


async def load(
    db: Db,
    dataset: str,
    symbols: Sequence[str] | None = None,
    *,
    start: date | None = None,
    end: date | None = None,
    known_by: datetime | None = None,
    lived_since: date | None = None,
) -> list[Action]:
    """Actions with start <= ex_date < end that were known, oldest first, each once.

    Where sources differ, what was stored or changed last holds. None leaves a side open. For
    whoever lives with the market since a day, nothing from then on was known before it was stored.
    """
    wanted = None if symbols is None else list(symbols)
    found = await db.fetch(_LOAD, dataset, wanted, start, end, known_by, lived_since)
    return [Action(**dict(row)) for row in found]


async def _replace(
    db: Db, before: Mapping[str, Any], one: Action, audit_key: bytes | None, actor: str
) -> None:
    was, told = _plain(before), _plain(msgspec.structs.asdict(one))
    values = [getattr(one, name) for name in _TOLD]
    await db.execute(_UPDATE, before["id"], *values, msgspec.json.encode([was]).decode())
    if audit_key is not None:
        act = Act(
            actor=actor,
            action="changed",
            resource="corporate_action",
            resource_id=f"{one.symbol} {one.kind} {one.ex_date}",
            before=was,
            after=told,
        )
        await audit.append(db, audit_key, act, now())


def _plain(row: Mapping[str, Any]) -> Row:
    plain: Row = msgspec.to_builtins({name: row[name] for name in _TOLD})
    return plain


# ------------------------------------------------------------------------------ what is told


def _checked(one: Action) -> Action:
    """`one` as it is stored. Raises InvalidInput that names it and the field."""
    what = f"The {one.kind} of {one.symbol} on {one.ex_date}"
    for name in _NEEDS.get(one.kind, ()):
        if getattr(one, name) is None:
            raise InvalidInput(f"{what} has no {name}.", field=name, remedy=_REMEDIES[name])
    for name in ("ratio", "amount"):
        value = getattr(one, name)
        if value is not None and not (value.is_finite() and 0 < value < _LARGEST):
            raise InvalidInput(f"{what}: {name} cannot be {value}.", field=name, remedy="Use > 0.")
    if one.new_symbol is not None and one.new_symbol.upper() == one.symbol.upper():
        raise InvalidInput(f"{what} leads to the same symbol.", field="new_symbol")
    if len(one.currency) != _CODE or not one.currency.isalpha():
        raise InvalidInput(f"{what}: {one.currency!r} is no currency.", field="currency")
    return msgspec.structs.replace(
        one,
        symbol=one.symbol.strip().upper(),
        new_symbol=one.new_symbol and one.new_symbol.strip().upper(),
        currency=one.currency.upper(),
        ratio=_stored(one.ratio),
        amount=_stored(one.amount),
        known_at=one.known_at or datetime.combine(one.ex_date, datetime.min.time(), _EXCHANGE_TIME),
    )


_CODE: Final = 3
_REMEDIES: Final = {
    "ratio": "Say how many new shares there are for one old: 4 for a split of four for one.",
    "amount": "Say the cash a share, as 0.82.",
    "new_symbol": "Say the new symbol.",
}


def _stored(value: Decimal | None) -> Decimal | None:
    return None if value is None else value.quantize(_GRID, ROUND_HALF_EVEN)


def _together(actions: Iterable[Action]) -> list[Action]:
    """One of each symbol, kind and day: an extra dividend is added to the regular one.

    Of anything else the last that was told holds.
    """
    found: dict[tuple[str, str, date], Action] = {}
    for one in actions:
        key = one.symbol, one.kind, one.ex_date
        before = found.get(key)
        if before is not None and one.kind == "dividend" and one != before:
            amount = (before.amount or 0) + (one.amount or 0)
            one = msgspec.structs.replace(one, amount=Decimal(amount))
        found[key] = one
    return sorted(found.values(), key=lambda one: (one.ex_date, one.symbol, one.kind))
