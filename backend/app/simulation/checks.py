"""The invariants, asked after every commit, wire write and recovery, and at the end of a run."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from app.domain.deployments import TradingState
from app.domain.events import (
    ClockTicked,
    Event,
    ExecutionCorrected,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    Reconciled,
    SessionClosed,
    SessionOpened,
    SliceClosed,
)
from app.domain.executions import Execution
from app.domain.orders import OPEN, Leg, OrderStatus
from app.engine import invariants
from app.engine.engine import Engine
from app.engine.invariants import Truth
from app.engine.witness import Violation, Witness
from app.repositories import chain
from app.repositories.chain import Record
from app.simulation.loop import LIFE
from app.simulation.process import engine_of, recover
from app.simulation.store import FOLDED, KEY, MemoryStore

if TYPE_CHECKING:
    from app.simulation.world import SimWorld

OURS: Final = "1-"
"Ids of orders that account 1 makes begin so."
_PATIENCE: Final = timedelta(minutes=2)
"Signals are given up at a slice after their time; one that comes with the last slices waits."
_EVERY: Final = 4
"One seed in so many has its whole stream handled and folded again."
MOST: Final = 5
"Violations that one run tells of: the others follow from them."

_QUIET: Final = frozenset({SliceClosed, ClockTicked, SessionOpened, SessionClosed, Reconciled})
"Events that change neither holdings nor orders."
_ENDS: Final = (OrderCanceled, OrderExpired, OrderRejected)


class Follower:
    """Who reads the journal: told that there is something new, it takes what it has not had."""

    def __init__(self, store: MemoryStore) -> None:
        self.taken: dict[int, int] = {}
        "How often the event of each number took effect."
        self._store, self._last = store, 0
        store.told_early = self.take

    def hear(self) -> None:
        """A notification, perhaps one of many, perhaps after some that were lost."""
        for record in self._store.records[self._last :]:
            self.take(record.seq)
        self._last = self._store.seq

    def take(self, seq: int) -> None:
        self.taken[seq] = self.taken.get(seq, 0) + 1


class Checker:
    """Sees everything: the stream, the engines, and the venue's truth."""

    def __init__(self, world: "SimWorld") -> None:
        self._world = world
        self.found: list[Violation] = []
        self.witness = Witness(world.store.starting_cash, {})
        self.follower = Follower(world.store)
        self._statuses: dict[str, OrderStatus] = {}
        self._last_slice: datetime | None = None

    def say(self, code: str, detail: str) -> None:
        self._take([Violation(code, detail)])

    def _take(self, found: list[Violation]) -> None:
        for one in found[: MOST - len(self.found)]:
            self._world.note(f"VIOLATION {one}")
            self.found.append(one)
        # What follows from a violation tells nobody anything new.
        self._world.loop.is_stopped |= bool(self.found)

    # ------------------------------------------------------------------------------ all along

    def on_commit(self, records: list[Record], events: list[Event]) -> None:
        """In the very moment of a commit; the engine is already what follows from it."""
        witness = self.witness
        for record, event in zip(records, events, strict=True):
            witness.learn(record.seq, event)
            if isinstance(event, SliceClosed):
                self._bars_are_true(event)
            elif isinstance(event, _ENDS):
                self._is_over_there(event)
            elif isinstance(event, OrderFilled | ExecutionCorrected):
                self._is_real(event.execution)
        names = " ".join(record.event_type for record in records if record.caused_by is None)
        self._world.note(f"commit {records[-1].seq} {names}")
        self._world.in_world(self._world.commit_delay(), self.follower.hear)
        engine = self._engine()
        if engine is not None and not _QUIET.issuperset(map(type, events)):
            self._take(invariants.engine_holds(witness, engine.book))
            self._moves(engine)
        if witness.found:
            self._take(witness.found)
            witness.found.clear()

    def _engine(self) -> Engine | None:
        """The engine of the process that commits."""
        life = LIFE.get()
        for process in self._world.processes:
            if process.life is life:
                return process.engine
        return None

    def _moves(self, engine: Engine) -> None:
        before, now = self._statuses, engine.book.records
        after = {i: now[i].order.status for i in before if i in now}
        self._take(invariants.moves_hold(before, after))
        self._statuses = {i: order.status for i, order in engine.book.open.items()}

    def _bars_are_true(self, event: SliceClosed) -> None:
        self._last_slice = event.end
        closes = self._world.market.closes
        for bar in event.bars:
            if closes.get((bar.symbol, bar.end)) != bar.close:
                self.say("I14", f"a bad tick of {bar.symbol} came through: {bar.close}")

    def _is_over_there(self, event: OrderCanceled | OrderExpired | OrderRejected) -> None:
        """I17 in the small: no order ends here while it lives at the broker."""
        for order in self._world.venue.by_id.get(event.client_order_id, ()):
            if order.status in OPEN:
                self.say("I17", f"{event.client_order_id} ends here and lives at the broker")

    def _is_real(self, execution: Execution) -> None:
        """I5 in the small: a fill that is journaled happened, under this id and with these numbers.

        Reconciliation would take back what was made up; until then it would have been acted on.
        """
        venue, identity = self._world.venue, execution.execution_id
        fill = venue.fills.get(identity)
        real = venue.undone.get(identity) if fill is None else fill.execution
        if real is None:
            self.say("I5", f"execution {identity} is not the broker's")
        elif (real.signed_quantity, real.price) != (execution.signed_quantity, execution.price):
            self.say("I5", f"execution {identity} has other numbers at the broker")

    def on_wire(self, kind: str, identity: str) -> None:
        """Something leaves a process, right now."""
        if kind != "submit":
            return
        latch = self._world.store.latch
        known = self.witness.orders.get(identity)
        if known is None:
            self.say("I4", f"{identity} is sent without an intent")
            return
        if latch.confirmed_epoch < latch.epoch:
            return  # nobody was told yet that it holds
        leg = known.order.leg
        if latch.state is TradingState.HALTED and leg is not Leg.FLATTEN:
            self.say("I9", f"{identity} is sent after the halt was acknowledged")
        if latch.state is TradingState.REDUCING and leg is Leg.ENTRY:
            self.say("I9", f"{identity} adds while the account only reduces")

    def on_recovered(self, differences: list[str]) -> None:
        """P11: the same journal gives the same decisions."""
        for difference in differences[:1]:
            self.say("I13", f"handled again the journal says otherwise: {difference}")

    def on_errors(self, errors: list[dict[str, Any]]) -> None:
        for error in errors[:1]:
            self.say("I0", f"nobody caught {error.get('exception')!r}: {error.get('message')}")

    # ---------------------------------------------------------------------------- at the end

    def truth(self) -> Truth:
        """What the broker really has."""
        venue = self._world.venue
        return Truth(
            orders=tuple(order.shown() for order in venue.orders),
            executions=tuple(fill.execution for fill in venue.fills.values()),
            undone=tuple(venue.undone.values()),
            positions=venue.positions,
            cash=venue.cash,
        )

    def at_the_end(self) -> None:
        """Once everything has had its time to find itself."""
        world, witness, truth = self._world, self.witness, self.truth()
        self._take(invariants.broker_is_ours(witness, truth, OURS))
        self._take(invariants.tables_hold(world.store.tables(), witness))
        self.follower.hear()
        self._take(invariants.delivery_holds(world.store.seq, self.follower.taken))
        self._take(invariants.chain_holds(lambda: chain.check(KEY, world.store.records)))
        trading = [p for p in world.processes if p.is_trading and p.engine is not None]
        if not trading:
            self.say("I17", "nobody trades the account at the end")
            return
        engine = trading[-1].engine
        assert engine is not None
        if not self._is_told(engine, truth):
            self._take(invariants.broker_agrees(witness, truth))
        self._take(invariants.open_orders_agree(engine.book, truth))
        self._take(invariants.rows_hold(world.store.tables(), engine.book))
        if self._last_slice is not None:
            until = self._last_slice - _PATIENCE
            self._take(invariants.signals_came_to_something(witness, until))
        self._all_commands_answered()
        if world.seed % _EVERY == 0:
            self._once_more(engine)

    def _is_told(self, engine: Engine, truth: Truth) -> bool:
        """P10: busts of other people's orders that nobody told us of, and a person was.

        Brokers list what stands. That a fill of an order that is not ours was taken back while the
        line was down can only be seen as a difference: then the account must not add risk.
        """
        unheard = [
            one for one in truth.undone if (one.broker, one.execution_id) in self.witness.executions
        ]
        is_restricted = engine.trading_state is not TradingState.ACTIVE
        are_foreign = all(not one.client_order_id.startswith(OURS) for one in unheard)
        return bool(unheard and are_foreign and is_restricted and engine.desk.unexplained)

    def _all_commands_answered(self) -> None:
        for command in self._world.store.commands:
            if self.witness.commands.get(command.id) != 1:
                self.say("I16", f"command {command.id} ({command.kind}) has no outcome")

    def _once_more(self, engine: Engine) -> None:
        """P11 and I13: the whole stream again, by a fresh engine and into fresh tables."""
        world = self._world
        fresh = engine_of(world)
        self.on_recovered(recover(fresh, world.store, is_whole=True))
        if fresh.book.snapshot() != engine.book.snapshot():
            self.say("I13", "the engine is not what its whole stream makes of a fresh one")
        rows = world.store.folded().rows
        for table in FOLDED:
            if list(rows.of(table)) != list(world.store.book.rows.of(table)):
                self.say("I13", f"{table.name} is not the fold of the stream")
