"""The store in memory is PostgreSQL's equal: same operations, same events, hashes and rows."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.core.errors import Fenced
from app.db.session import create_pool
from app.domain import events as ev
from app.domain.deployments import TradingState
from app.domain.executions import Execution
from app.domain.limits import UNLIMITED
from app.domain.market import Bar, Timeframe
from app.domain.orders import OPEN, Order, OrderStatus
from app.domain.ports import Entry
from app.engine.engine import AccountSetup, Engine
from app.engine.history import Windows
from app.repositories import commands, fold_check, journal, trading_state
from app.repositories.folds.book import InstrumentIds
from app.repositories.journal import PostgresJournal, stream_of
from app.repositories.projection import INSTRUMENTS, Projection
from app.simulation import strategy
from app.simulation.store import KEY, MemoryStore, MemoryStream

START = datetime(2024, 3, 1, 14, 30, tzinfo=UTC)
CASH = Decimal(100_000)
ALIVE = sorted(OPEN - {OrderStatus.APPROVED})
numbers = count()
"Execution ids are unique over all accounts of a database."


async def new_account(pool: asyncpg.Pool) -> tuple[int, int]:
    """A fresh account and its one deployment."""
    account_id = await pool.fetchval(
        "INSERT INTO accounts (name, dataset, starting_cash, cash)"
        f" VALUES ('sim ' || gen_random_uuid(), 'simulated', {CASH}, {CASH}) RETURNING id"
    )
    scope = stream_of(account_id)
    await pool.execute("INSERT INTO journal_streams (stream) VALUES ($1)", scope)
    await pool.execute("INSERT INTO trading_state (scope) VALUES ($1)", scope)
    await pool.execute("INSERT INTO strategies (name) VALUES ('sway') ON CONFLICT DO NOTHING")
    deployment_id = await pool.fetchval(
        "INSERT INTO deployments (account_id, strategy_id, symbols, timeframe)"
        " SELECT $1, id, '{AAPL,SPY}', '1m' FROM strategies WHERE name = 'sway' RETURNING id",
        account_id,
    )
    return account_id, deployment_id


class Both:
    """One account in both stores, and one engine whose every step goes into both."""

    def __init__(self, pool: asyncpg.Pool, account_id: int, deployment_id: int) -> None:
        ticks = count()
        self.pool, self.account_id, self.deployment_id = pool, account_id, deployment_id
        self.memory = MemoryStore(
            account_id, CASH, (), (deployment_id,), now=lambda: float(next(ticks))
        )
        self.at = START
        self.told = 0
        self.epoch = 0
        self.engine = self.new_engine()
        self.durable: PostgresJournal
        self.stream: MemoryStream

    @classmethod
    async def made(cls, pool: asyncpg.Pool) -> "Both":
        both = cls(pool, *await new_account(pool))
        for row in await pool.fetch(INSTRUMENTS.format(where="true")):
            ids = InstrumentIds(row["instrument_id"], row["stock_id"])
            both.memory.book.instruments[row["symbol"]] = ids
        query = "SELECT strategy_id FROM deployments WHERE id = $1"
        strategy_id = await pool.fetchval(query, both.deployment_id)
        both.memory.book.strategies[both.deployment_id] = strategy_id
        await both.take_over()
        return both

    def new_engine(self) -> Engine:
        account = AccountSetup(account_id=self.account_id, cash=CASH, limits=UNLIMITED)
        return Engine(account, strategies=strategy.make, histories=Windows())

    async def take_over(self) -> None:
        """A new owner with the next epoch, in both."""
        self.epoch += 1
        name = stream_of(self.account_id)
        await self.pool.execute(
            "UPDATE journal_streams SET epoch = $2 WHERE stream = $1", name, self.epoch
        )
        self.memory.epoch = self.epoch
        if self.epoch > 1:
            await self.durable.close()
        self.durable = PostgresJournal(
            self.pool,
            name,
            self.account_id,
            self.epoch,
            KEY,
            Projection(self.account_id, name),
            now=lambda: self.at,
        )
        await self.durable.open()
        self.stream = MemoryStream(
            self.memory, self.epoch, lambda: self.at, lambda: 0.0, lambda where: None
        )

    async def handle(self, event: ev.Input) -> None:
        """The engine's answer to one input, into both."""
        self.at += timedelta(seconds=1)
        facts = self.engine.handle(event)
        entries = [Entry(event), *(Entry(fact, 0) for fact in facts)]
        assert await self.durable.append(entries) == await self.stream.append(entries)

    async def command(self, kind: str, **payload: Any) -> None:
        identity = await commands.submit(self.pool, self.account_id, kind, payload, "anna")
        self.memory.ask(kind, payload, identity)
        await self.carry_out(identity, kind, payload)

    async def carry_out(self, identity: int, kind: str, payload: dict[str, Any]) -> None:
        await self.handle(
            ev.CommandReceived(
                command_id=identity, kind=kind, payload=payload, actor="anna", at=self.at
            )
        )

    async def differences(self) -> list[Any]:
        """Whatever is not the same: the streams first, then every table, then the latch."""
        name = stream_of(self.account_id)
        stored = [record async for record in journal.scan(self.pool, name, self.told)]
        new = self.memory.records[self.told :]
        self.told = len(self.memory.records)
        if stored != new:
            return [pair for pair in zip(stored, new, strict=False) if pair[0] != pair[1]] or [
                (len(stored), len(new))
            ]
        rows = await fold_check.compare(self.pool, self.memory.book)
        state = await self.pool.fetchval("SELECT state FROM trading_state WHERE scope = $1", name)
        return rows or ([] if state == self.memory.latch.state else [(state, self.memory.latch)])


def fill(order: Order, quantity: Decimal, price: str) -> ev.OrderFilled:
    return ev.OrderFilled(
        execution=Execution(
            execution_id=f"x{next(numbers)}",
            broker="venue",
            client_order_id=order.client_order_id,
            ledger=order.ledger,
            symbol=order.symbol,
            side=order.side.value,
            quantity=quantity,
            price=Decimal(price),
            commission=Decimal("0.35"),
            at=order.at,
        )
    )


Run = Callable[[Any], Any]


def machine(run: Run, pool: asyncpg.Pool) -> type[RuleBasedStateMachine]:  # noqa: C901 - its rules
    """What may happen to an account, in any order."""

    class Machine(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.both: Both = run(Both.made(pool))
            self.last: ev.OrderFilled | None = None
            run(
                self.both.command(
                    "deployment_start",
                    deployment_id=self.both.deployment_id,
                    strategy="sway",
                    parameters={},
                    symbols=["AAPL", "SPY"],
                    timeframe="1m",
                    capital="20000",
                )
            )

        def teardown(self) -> None:
            run(self.both.durable.close())

        @property
        def orders(self) -> Sequence[Order]:
            return self.both.engine.open_orders

        def order(self, number: int) -> Order:
            return self.orders[number % len(self.orders)]

        @rule(close=st.integers(92, 108), symbol=st.sampled_from(["AAPL", "SPY"]))
        def a_bar_closes(self, close: int, symbol: str) -> None:
            both = self.both
            end = (both.engine.slice_end or START) + timedelta(minutes=1)
            start, price = end - timedelta(minutes=1), float(close)
            bar = Bar(symbol, Timeframe.M1, start, end, price, price, price, price, 1000.0)
            closed = ev.SliceClosed(end=end, session=end.date(), base=Timeframe.M1, bars=(bar,))
            run(both.handle(closed))

        @rule(side=st.sampled_from(["buy", "sell"]), stop=st.sampled_from([None, "90", "110"]))
        def a_person_orders(self, side: str, stop: str | None) -> None:
            given = {"symbol": "AAPL", "side": side, "quantity": "7"}
            run(self.both.command("order_place", **given, **({"stop_loss": stop} if stop else {})))

        @rule(flatten=st.booleans())
        def a_person_halts(self, flatten: bool) -> None:
            run(self.both.command("trading_halt", flatten=flatten))

        @rule()
        def a_person_resumes(self) -> None:
            run(self.both.command("trading_resume"))

        @rule()
        def somebody_stops_while_a_resume_is_on_its_way(self) -> None:
            both = self.both
            number = run(commands.submit(pool, both.account_id, "trading_resume", {}, "anna"))
            both.memory.ask("trading_resume", {}, number)
            scope = stream_of(both.account_id)
            run(trading_state.latch(pool, scope, TradingState.HALTED, "stop", "bob"))
            both.memory.halt()
            run(both.carry_out(number, "trading_resume", {}))

        @precondition(lambda self: self.orders)
        @rule(number=st.integers(0, 9), status=st.sampled_from(ALIVE))
        def the_broker_answers(self, number: int, status: OrderStatus) -> None:
            both, identity = self.both, self.order(number).client_order_id
            at, why = both.at, "because"
            answers: dict[OrderStatus, ev.Input] = {
                OrderStatus.SUBMITTED: ev.OrderSubmitted(client_order_id=identity, at=at),
                OrderStatus.ACCEPTED: ev.OrderAccepted(
                    client_order_id=identity, broker_order_id="v1", at=at
                ),
                OrderStatus.UNKNOWN: ev.OrderUnknown(client_order_id=identity, reason=why, at=at),
                OrderStatus.PARTIALLY_FILLED: ev.OrderCanceled(
                    client_order_id=identity, reason=why, at=at
                ),
            }
            run(both.handle(answers[status]))

        @precondition(lambda self: self.orders)
        @rule(number=st.integers(0, 9), whole=st.booleans(), price=st.sampled_from(["99.5", "101"]))
        def the_broker_fills(self, number: int, whole: bool, price: str) -> None:
            order = self.order(number)
            self.last = fill(order, order.remaining_quantity if whole else Decimal(1), price)
            run(self.both.handle(self.last))

        @precondition(lambda self: self.last is not None)
        @rule()
        def the_same_fill_comes_again(self) -> None:
            assert self.last is not None
            run(self.both.handle(self.last))

        @precondition(lambda self: self.last is not None)
        @rule(is_corrected=st.booleans())
        def the_last_fill_is_taken_back(self, is_corrected: bool) -> None:
            assert self.last is not None
            execution, at = self.last.execution, self.both.at
            if is_corrected:
                order = self.both.engine.book.records[execution.client_order_id].order
                right = fill(order, execution.quantity, "100.25").execution
                corrected = ev.ExecutionCorrected(
                    execution=right, corrects=execution.execution_id, reason="price", at=at
                )
                run(self.both.handle(corrected))
                self.last = ev.OrderFilled(execution=right)
            else:
                busted = ev.ExecutionBusted(
                    broker=execution.broker,
                    execution_id=execution.execution_id,
                    client_order_id=execution.client_order_id,
                    reason="error",
                    at=at,
                )
                run(self.both.handle(busted))

        @rule()
        def another_engine_takes_over(self) -> None:
            old = self.both.stream, self.both.durable
            before = Entry(ev.ClockTicked(at=self.both.at))
            run(self.both.take_over())
            for writer in old:
                with pytest.raises(Fenced):
                    run(_append_as(writer, before))
            self.it_restarts()

        @rule()
        def it_restarts(self) -> None:
            """What was not committed is gone; what was is handled again, from either store."""
            both, name = self.both, stream_of(self.both.account_id)
            lost = both.engine
            lost.handle(ev.SessionOpened(session=both.at.date(), at=both.at))  # never appended
            both.engine = both.new_engine()
            stored = run(_all(pool, name))
            assert [ev.encode(one) for one in stored] == [ev.encode(e) for e in both.memory.events]
            for event in both.memory.events:
                if type(event) in ev.INPUT_TYPES:
                    both.engine.handle(event)  # type: ignore[arg-type]  # it is an input

        @invariant()
        def both_are_the_same(self) -> None:
            assert run(self.both.differences()) == []

    return Machine


async def _append_as(writer: PostgresJournal | MemoryStream, entry: Entry) -> None:
    """As a zombie that does not know yet that it was closed."""
    if isinstance(writer, MemoryStream):
        await writer.append([entry])
        return
    writer._broken = None
    try:
        await writer.append([entry])
    finally:
        await writer.close()


async def _all(pool: asyncpg.Pool, name: str) -> list[ev.Event]:
    return [ev.decode(record.payload) async for record in journal.scan(pool, name)]


def test_the_same_operations_leave_the_same_in_memory_and_in_postgresql(database_url: str) -> None:
    with asyncio.Runner() as runner:
        pool = runner.run(create_pool(database_url, max_size=4))
        run_state_machine_as_test(
            machine(runner.run, pool),
            settings=settings(
                max_examples=10,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        runner.run(pool.close())
