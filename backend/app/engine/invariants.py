"""What must always hold: stream, engine, tables and broker of one account against each other.

Pure: everything compared is given as a value. The simulation asks after every commit, recovery
after every start, and production every minute.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.executions import Execution
from app.domain.orders import NEXT, OPEN, REOPEN, BrokerOrder, OrderStatus
from app.engine.witness import Violation, Witness
from app.risk.book import Book
from app.risk.ledgers import unbalanced

ZERO: Final = Decimal(0)
GRID: Final = Decimal("1e-8")
"What the tables keep of money."
PATIENCE: Final = timedelta(seconds=60)
"How long an order may stay open here and not at the broker, once nothing fails any more."


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What the broker really has; nobody was asked over a line that could lose the answer."""

    orders: tuple[BrokerOrder, ...]
    executions: tuple[Execution, ...]
    "Those that stand."
    undone: tuple[Execution, ...]
    "Those that were busted or replaced."
    positions: Mapping[str, Decimal]
    cash: Decimal


class OrderRow(msgspec.Struct, frozen=True):
    """What the tables say of an order."""

    status: str
    quantity: Decimal
    filled_quantity: Decimal


class Tables(msgspec.Struct, frozen=True, kw_only=True):
    """What the tables say of one account, read at one instant."""

    cash: Decimal
    positions: Mapping[tuple[str, str], Decimal]
    "Signed quantity by ledger and symbol, without what is flat."
    ledgers: Mapping[str, Decimal]
    "Cash flow by ledger."
    orders: Mapping[str, OrderRow]
    "Open orders by client order id."


def engine_holds(witness: Witness, book: Book) -> list[Violation]:
    """I1, I3, I5, I15: the running engine's book is what its stream says."""
    found: list[Violation] = []
    held = {(p.ledger, p.symbol): p.quantity for p in book.positions()}
    told = {key: quantity for key, quantity in witness.held.items() if quantity}
    if held != told:
        found.append(Violation("I1", f"the engine holds {held}; the stream says {told}"))
    found += [Violation("I15", sentence) for sentence in unbalanced(book)]
    if book.cash != witness.account_cash:
        said = witness.account_cash
        found.append(Violation("I3", f"the engine has {book.cash}; the stream says {said}"))
    return found + _orders_hold(witness, book)


def _orders_hold(witness: Witness, book: Book) -> list[Violation]:
    """I4, I5: every open order has its intent, and is filled as its executions say."""
    found: list[Violation] = []
    for identity, order in book.open.items():
        known = witness.orders.get(identity)
        if known is None:
            found.append(Violation("I4", f"open order {identity} has no intent in the stream"))
        elif known.filled != order.filled_quantity:
            told = f"{order.filled_quantity} filled; its executions say {known.filled}"
            found.append(Violation("I5", f"order {identity} has {told}"))
    return found


def tables_hold(tables: Tables, witness: Witness) -> list[Violation]:
    """I13: what is stored is what the stream says, on the grid of the tables."""
    found: list[Violation] = []
    told = {key: quantity for key, quantity in witness.held.items() if quantity}
    if tables.positions != told:
        found.append(Violation("I13", f"stored are {tables.positions}; the stream says {told}"))
    if tables.cash != witness.account_cash.quantize(GRID):
        said = witness.account_cash
        found.append(Violation("I13", f"stored is {tables.cash} in cash; the stream says {said}"))
    for ledger, cash in tables.ledgers.items():
        said = witness.cash.get(ledger, ZERO)
        if cash != said.quantize(GRID):
            found.append(Violation("I13", f"{ledger} has {cash} stored; the stream says {said}"))
    for identity, row in tables.orders.items():
        known = witness.orders.get(identity)
        if known is None or known.filled != row.filled_quantity:
            said_filled = "no such order" if known is None else f"{known.filled} filled"
            stored = f"{row.filled_quantity} filled stored"
            found.append(
                Violation("I13", f"{identity} has {stored}; the stream says {said_filled}")
            )
    return found


def rows_hold(tables: Tables, book: Book) -> list[Violation]:
    """I13: open orders are stored as the engine has them."""
    mine = {
        identity: OrderRow(order.status.value, order.quantity, order.filled_quantity)
        for identity, order in book.open.items()
    }
    both = sorted(mine.keys() | tables.orders.keys())
    return [
        Violation("I13", f"{identity} is stored as {tables.orders.get(identity)}; engine: {one}")
        for identity in both
        if (one := mine.get(identity)) != tables.orders.get(identity)
    ]


def moves_hold(
    before: Mapping[str, OrderStatus], after: Mapping[str, OrderStatus]
) -> list[Violation]:
    """I6: each order went along edges of its life cycle from what it was before."""
    return [
        Violation("I6", f"order {identity} went from {was} to {after[identity]}")
        for identity, was in before.items()
        if identity in after and after[identity] not in _REACHABLE[was]
    ]


def _reachable(was: OrderStatus) -> frozenset[OrderStatus]:
    """Whatever a way of edges leads to: one commit may hold several reports."""
    reached, fresh = {was}, {was}
    while fresh:
        fresh = {n for s in fresh for n in (*NEXT.get(s, ()), *REOPEN.get(s, ()))} - reached
        reached |= fresh
    return frozenset(reached)


_REACHABLE: Final = {status: _reachable(status) for status in OrderStatus}


def chain_holds(check: Callable[[], object]) -> list[Violation]:
    """I11: `check` recomputes the chain and raises what names the first bad event."""
    try:
        check()
    except Exception as error:  # noqa: BLE001  whatever it says, the chain does not hold
        return [Violation("I11", str(error))]
    return []


def delivery_holds(committed: int, taken: Mapping[int, int]) -> list[Violation]:
    """I12: `taken` says how often each event took effect; all up to `committed` exactly once."""
    found = [
        Violation("I12", f"event {seq} took effect {times} times")
        for seq, times in sorted(taken.items())
        if times != 1 or seq > committed
    ]
    missing = [seq for seq in range(1, committed + 1) if seq not in taken]
    if missing:
        found.append(Violation("I12", f"event {missing[0]} was never delivered"))
    return found


def jobs_hold(outcomes: Iterable[tuple[str, bool]]) -> list[Violation]:
    """I16: each job key (first of a pair) has at most one success."""
    succeeded: set[str] = set()
    found: list[Violation] = []
    for key, is_success in outcomes:
        if is_success and key in succeeded:
            found.append(Violation("I16", f"job {key} succeeded twice"))
        if is_success:
            succeeded.add(key)
    return found


# --------------------------------------------------------------------------------- the broker


def broker_is_ours(witness: Witness, truth: Truth, ours: str) -> list[Violation]:
    """I4, I5 at any instant: what the broker has of us has its intent, and no fill was made up.

    `ours` is what ids of orders that we make begin with.
    """
    found: list[Violation] = []
    seen: set[str] = set()
    for order in truth.orders:
        identity = order.client_order_id
        if identity is None or not identity.startswith(ours):
            continue
        if identity in seen:
            found.append(Violation("I4", f"the broker has two orders {identity}"))
        if identity not in witness.orders:
            found.append(Violation("I4", f"the broker has {identity}, which nobody approved"))
        seen.add(identity)
    return found + fills_are_real(witness, truth)


def fills_are_real(witness: Witness, truth: Truth) -> list[Violation]:
    """I5: every execution of ours is, or was, one of the broker's, with its numbers."""
    real = {(e.broker, e.execution_id): e for e in (*truth.undone, *truth.executions)}
    found: list[Violation] = []
    for key, booked in witness.executions.items():
        other = real.get(key)
        mine = booked.execution
        if other is None:
            found.append(Violation("I5", f"execution {key[1]} is not the broker's"))
        elif (other.signed_quantity, other.price, other.commission) != (
            mine.signed_quantity,
            mine.price,
            mine.commission,
        ):
            found.append(Violation("I5", f"execution {key[1]} has other numbers at the broker"))
    return found


def broker_agrees(witness: Witness, truth: Truth) -> list[Violation]:
    """I2, I3, I5 once everything was told: same positions, cash and executions."""
    found: list[Violation] = []
    net = witness.net()
    theirs = {symbol: quantity for symbol, quantity in truth.positions.items() if quantity}
    if net != theirs:
        found.append(Violation("I2", f"we hold {net}; the broker {theirs}"))
    if witness.account_cash != truth.cash:
        found.append(Violation("I3", f"we have {witness.account_cash}; the broker {truth.cash}"))
    standing = {(e.broker, e.execution_id) for e in truth.executions}
    ours = set(witness.executions)
    if lost := sorted(standing - ours):
        found.append(Violation("I5", f"execution {lost[0][1]} was lost ({len(lost)} in all)"))
    if made := sorted(ours - standing):
        found.append(Violation("I5", f"execution {made[0][1]} was undone ({len(made)} in all)"))
    return found


def open_orders_agree(book: Book, truth: Truth) -> list[Violation]:
    """I17 once faults have stopped and the patience is over: nothing open on one side only.

    What the broker cannot have is held by us, and rests nowhere else.
    """
    theirs = {one.identity for one in truth.orders if one.status in OPEN}
    found = [
        Violation("I17", f"order {identity} is {order.status} here and not open at the broker")
        for identity, order in sorted(book.open.items())
        if identity not in theirs and not order.is_held
    ]
    found += [
        Violation("I17", f"order {identity} is open at the broker and not here")
        for identity in sorted(theirs - book.open.keys())
    ]
    return found


def signals_came_to_something(witness: Witness, until: datetime) -> list[Violation]:
    """I7: every signal raised before `until` has had its first outcome."""
    return [
        Violation("I7", f"signal {identity} has no outcome")
        for identity, outcome in sorted(witness.signals.items())
        if outcome is None and witness.raised_at[identity] <= until
    ]
