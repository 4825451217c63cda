"""Files of corporate actions: tables of ours, and LEAN's factor files turned into dated actions."""

import csv
import gzip
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_EVEN, Decimal, DivisionByZero, InvalidOperation
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec

from app.core.errors import InvalidInput
from app.domain.corporate_actions import ActionKind
from app.marketdata.calendar import TradingCalendar
from app.marketdata.files import normal_symbol, symbol_in_name
from app.marketdata.ports import Action

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "symbol": ("symbol", "ticker"),
    "kind": ("kind", "type", "action"),
    "ex_date": ("ex_date", "exdate", "date", "effective_date"),
    "ratio": ("ratio", "split", "split_ratio"),
    "amount": ("amount", "dividend", "cash"),
    "currency": ("currency",),
    "pay_date": ("pay_date", "payable_date", "payment_date"),
    "new_symbol": ("new_symbol",),
    "known_at": ("known_at", "declared", "declaration_date"),
}
_LEAN: Final = ("last_date_applies", "price_factor", "split_factor", "reference_price")
_FAR: Final = 2049
"LEAN's last row applies until the end of its days."
_SAME: Final = 2e-7
"Factors are written with seven digits."
_DAY_DIGITS: Final = 8
_AMOUNT: Final = Decimal("0.0001")
_SIMPLE: Final = 100
_ROUNDED: Final = Fraction(1, 20_000)


class ActionFile(msgspec.Struct, frozen=True):
    """What a file tells."""

    actions: list[Action]
    rows: int
    ignored: list[str]
    "Columns that say nothing to us."


def read_actions(path: Path, calendar: TradingCalendar, symbol: str | None = None) -> ActionFile:
    """Every action of a CSV file, plain or gzip; `symbol` (else the file's name) where it has none.

    LEAN's factor files are recognised. Raises InvalidInput that names row and column.
    """
    rows = [row for row in _rows(path) if any(cell.strip() for cell in row)]
    if not rows:
        raise InvalidInput(f"{path.name} is empty.", field="file")
    header = [cell.strip().lower().replace(" ", "_") for cell in rows[0]]
    if tuple(header) == _LEAN or _is_lean_row(rows[0]):
        named = symbol or symbol_in_name(path)
        if named is None:
            raise _no_symbol(path)
        table = rows if _is_lean_row(rows[0]) else rows[1:]
        actions = list(_from_factors(path, table, normal_symbol(named), calendar))
        return ActionFile(actions, len(table), [])
    return _from_table(path, header, rows[1:], symbol)


def actions_beside(path: Path, symbol: str, calendar: TradingCalendar) -> list[Action]:
    """Those of the file that stands beside a file (or in a folder) of bars; none without one.

    SYMBOL.factors.csv is LEAN's, SYMBOL.actions.csv a table; either may be in gzip.
    """
    folder = path if path.is_dir() else path.parent
    for ending in ("factors.csv.gz", "factors.csv", "actions.csv.gz", "actions.csv"):
        file = folder / f"{symbol}.{ending}"
        if file.is_file():
            return read_actions(file, calendar, symbol).actions
    return []


def _rows(path: Path) -> list[list[str]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.", field="file") from None
    try:
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError):
        raise InvalidInput(
            f"{path.name} is no text.", field="file", remedy="Give a CSV file, plain or gzip."
        ) from None
    return list(csv.reader(text.splitlines()))


def _no_symbol(path: Path) -> InvalidInput:
    return InvalidInput(
        f"{path.name} does not say whose actions these are.",
        field="symbol",
        remedy="Name it with --symbol, or add a column symbol.",
    )


# ------------------------------------------------------------------------------ our own tables


def _from_table(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], symbol: str | None
) -> ActionFile:
    columns = {
        name: header.index(other)
        for name, others in _NAMES.items()
        for other in others
        if other in header
    }
    for name in ("kind", "ex_date"):
        if name not in columns:
            raise InvalidInput(
                f"{path.name} has no column {name}.",
                field=name,
                remedy="Name the columns symbol, kind, ex_date, ratio, amount, … in the first row.",
            )
    fallback = symbol or (None if "symbol" in columns else symbol_in_name(path))
    known = {header[index] for index in columns.values()}
    actions = []
    for number, row in enumerate(rows, 2):
        cells = {n: row[i].strip() for n, i in columns.items() if i < len(row) and row[i].strip()}
        named = cells.get("symbol") or fallback
        if named is None:
            raise _no_symbol(path)
        actions.append(_action(path, number, {**cells, "symbol": named}))
    return ActionFile(actions, len(rows), [name for name in header if name and name not in known])


def _action(path: Path, number: int, cells: Mapping[str, str]) -> Action:
    fields: dict[str, Any] = {}
    for name, read in _READERS.items():
        if name in cells:
            try:
                fields[name] = read(cells[name])
            except (ValueError, InvalidOperation, ZeroDivisionError, DivisionByZero):
                raise InvalidInput(
                    f"{path.name}, row {number}: {name} cannot be {cells[name]!r}.",
                    field=name,
                    remedy=_REMEDIES[name],
                ) from None
    for name in ("kind", "ex_date"):
        if name not in fields:
            raise InvalidInput(
                f"{path.name}, row {number}: {name} is missing.",
                field=name,
                remedy=_REMEDIES[name],
            )
    return Action(**fields)


def _kind(text: str) -> str:
    return ActionKind(text.lower().replace(" ", "_").replace("-", "_")).value


def _day(text: str) -> date:
    if len(text) == _DAY_DIGITS and text.isdigit():
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    return date.fromisoformat(text)


def _ratio(text: str) -> Decimal:
    """4, 0.25, 4:1, 3/2: new shares for one old."""
    for mark in (":", "/"):
        new, _, old = text.partition(mark)
        if old:
            return Decimal(new.strip()) / Decimal(old.strip())
    return Decimal(text)


def _instant(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


_READERS: Final[Mapping[str, Any]] = {
    "symbol": normal_symbol,
    "kind": _kind,
    "ex_date": _day,
    "ratio": _ratio,
    "amount": Decimal,
    "currency": str.upper,
    "pay_date": _day,
    "new_symbol": normal_symbol,
    "known_at": _instant,
}
_REMEDIES: Final = {
    "kind": f"Use one of {', '.join(ActionKind)}.",
    "ex_date": "Write the first session that trades without it, as 2020-08-31.",
    "pay_date": "Write a day, as 2020-08-13.",
    "ratio": "Say new shares for one old: 4, 4:1 or 3/2.",
    "amount": "Say cash a share, as 0.82.",
    "known_at": "Write an instant, as 2020-07-30T20:30:00+00:00.",
    "currency": "Use a code such as USD.",
    "symbol": "Use a symbol such as AAPL.",
    "new_symbol": "Use a symbol such as META.",
}


# ------------------------------------------------------------------------- LEAN's factor files


def _is_lean_row(row: Sequence[str]) -> bool:
    return (
        len(row) == len(_LEAN) and row[0].strip().isdigit() and len(row[0].strip()) == _DAY_DIGITS
    )


def _from_factors(
    path: Path, rows: Sequence[Sequence[str]], symbol: str, calendar: TradingCalendar
) -> Iterator[Action]:
    """Where the factors of two rows differ, something happened in the session after the first.

    split ratio = quotient of the split factors; dividend = reference price · (1 - quotient of the
    price factors), to a hundredth of a cent, which is what seven digits tell.
    """
    known = [_factor_row(path, number, row) for number, row in enumerate(rows, 1)]
    for (day, price, split, close), (_, next_price, next_split, _) in pairwise(known):
        if day.year > _FAR:
            continue
        ex_date = _next_session(day, calendar)
        if abs(split / next_split - 1) > _SAME:
            ratio = _simple(Fraction(next_split) / Fraction(split))
            yield Action(symbol=symbol, kind="split", ex_date=ex_date, ratio=ratio)
        if abs(price / next_price - 1) > _SAME and close:
            amount = (close * (1 - price / next_price)).quantize(_AMOUNT, ROUND_HALF_EVEN)
            if amount > 0:
                yield Action(symbol=symbol, kind="dividend", ex_date=ex_date, amount=amount)


def _factor_row(
    path: Path, number: int, row: Sequence[str]
) -> tuple[date, Decimal, Decimal, Decimal]:
    try:
        day, (price, split, close) = _day(row[0].strip()), (Decimal(cell) for cell in row[1:4])
    except (ValueError, InvalidOperation):
        raise InvalidInput(
            f"{path.name}, row {number} of the factors cannot be read: {','.join(row)}",
            field="file",
            remedy="LEAN's rows are date, price factor, split factor, reference price.",
        ) from None
    if price <= 0 or split <= 0:
        raise InvalidInput(f"{path.name}, row {number}: factors are above zero.", field="file")
    return day, price, split, close


def _simple(ratio: Fraction) -> Decimal:
    """7 for 6.99999: seven digits of a factor tell no more."""
    near = ratio.limit_denominator(_SIMPLE)
    chosen = near if abs(near - ratio) < ratio * _ROUNDED and near.denominator < 10 else ratio
    return Decimal(chosen.numerator) / Decimal(chosen.denominator)


def _next_session(day: date, calendar: TradingCalendar) -> date:
    after = (day.toordinal() - date(1970, 1, 1).toordinal() + 1) * 86_400 * 10**9
    return calendar.sessions(after, after + 14 * 86_400 * 10**9)[0].day
