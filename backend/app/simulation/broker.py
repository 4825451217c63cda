"""The line to the simulated broker, as one process has it: a `Broker` that loses and delays.

What was written to the wire arrives whether the process still lives or not. Answers come later,
twice, in another order, or never. The checker reads the venue's truth, not what came through here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextvars import Context
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from app.core.errors import BrokerRejected, BrokerUnavailable
from app.domain.events import BrokerReport, ChangeRejected
from app.domain.orders import OPEN, Order, OrderStatus
from app.domain.ports import BrokerAbilities, BrokerBook, BrokerLink, BrokerOrder
from app.simulation.loop import SimLoop
from app.simulation.profile import Profile
from app.simulation.venue import NAME, Venue, nonzero

PATIENCE: Final = 10.0
"Seconds after which an adapter gives an answer up."
_NETWORK: Final = 0.02
_LATE: Final = 8.0
_REORDERED: Final = 2.0
_REMEMBERED: Final = timedelta(minutes=2)
"Ended orders are listed when they were made so long before the time that was asked for."
_RECONNECT: Final = 1.0
_FILLING: Final = 3.0
"Seconds in which the lists of a fresh connection are still empty, where they are at all."
Answer = Callable[[], Any]


class Network:
    """The world between a process and the venue: what happens to a message is drawn here."""

    def __init__(
        self, rng: Random, profile: Profile, venue: Venue, loop: SimLoop, context: Context
    ) -> None:
        self.rng, self.profile, self.venue, self.loop = rng, profile, venue, loop
        self.is_up = True
        self.lines: list[SimBroker] = []
        self._context = context
        "The world's: messages outlive the process that sent them."
        venue.listener = self._tell_all

    def later(self, delay: float, work: Callable[..., None], *arguments: object) -> None:
        """Do it in the world's name: no death of a process stops it."""
        self.loop.call_later(delay, work, *arguments, context=self._context)

    def latency(self) -> float:
        return self.rng.expovariate(1 / _NETWORK)

    def happens(self, chance: float) -> bool:
        return chance > 0 and self.rng.random() < chance

    def break_down(self) -> None:
        """Every connection is gone, and with it what was on its way."""
        self.is_up = False
        for line in self.lines:
            line.lose()
        self.lines.clear()

    def come_back(self) -> None:
        self.is_up = True

    def _tell_all(self, report: BrokerReport) -> None:
        for line in self.lines:
            line.hear(report)


class Patience:
    """As `asyncio.timeout`, which costs more than all the rest of a request.

    It has ended, too, where the answer was there and its process, paused, had not seen it.
    """

    def __init__(self, answer: "asyncio.Future[Any]") -> None:
        self._answer = answer
        self._has_ended = False

    def end(self) -> None:
        """Whoever waits has waited long enough."""
        self._has_ended = True
        if not self._answer.done():
            self._answer.cancel()

    def check(self) -> None:
        """Raises TimeoutError once it has ended."""
        if self._has_ended:
            raise TimeoutError


class SimBroker:
    """One process's adapter and connection. Made anew by every process."""

    name = NAME
    is_simulated = False

    def __init__(
        self,
        network: Network,
        now: Callable[[], datetime],
        wrote: Callable[[str, str], None],
        abilities: BrokerAbilities | None = None,
    ) -> None:
        """`wrote` is told of every request, at the very moment it leaves the process."""
        self.abilities = abilities or BrokerAbilities()
        self._network, self._now, self._wrote = network, now, wrote
        self._is_connected = False
        self._since = 0.0
        self._heard: asyncio.Queue[BrokerReport | BrokerLink] = asyncio.Queue()
        self._connection = 0

    # ---------------------------------------------------------------------------- requests

    async def submit(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        """Asynchronous, as real ones are: the answer says that it arrived, reports say the rest."""
        self._ready()
        self._wrote("submit", order.client_order_id)
        told = await self._change(lambda: self._place(order))
        if self._network.happens(self._network.profile.hung):
            await self._network.loop.create_future()  # for ever
        return told

    def _place(self, order: Order) -> Sequence[BrokerReport]:
        self._network.venue.place(order)
        return ()

    async def cancel(self, client_order_id: str, at: datetime) -> Sequence[BrokerReport]:
        self._ready()
        self._wrote("cancel", client_order_id)
        return await self._change(lambda: self._cancel(client_order_id))

    def _cancel(self, client_order_id: str) -> Sequence[BrokerReport]:
        if self._network.venue.cancel(client_order_id):
            return ()
        reason = "not open here"
        return (
            ChangeRejected(
                client_order_id=client_order_id, change="cancel", reason=reason, at=self._now()
            ),
        )

    async def replace(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        self._ready()
        self._wrote("replace", order.client_order_id)
        return await self._change(lambda: self._replace(order))

    def _replace(self, order: Order) -> Sequence[BrokerReport]:
        try:
            self._network.venue.replace(order)
        except BrokerRejected as error:
            identity = order.client_order_id
            return (
                ChangeRejected(
                    client_order_id=identity, change="replace", reason=str(error), at=self._now()
                ),
            )
        return ()

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        def look() -> BrokerOrder | None:
            found = self._network.venue.find(client_order_id)
            return None if found is None else found.shown()

        return await self._request(look, is_question=True)  # type: ignore[no-any-return]  # `look`

    async def book(self, since: datetime | None = None) -> BrokerBook:
        found: BrokerBook = await self._request(lambda: self._book(since), is_question=True)
        return found

    def _book(self, since: datetime | None) -> BrokerBook:
        venue, now = self._network.venue, self._network.loop.time()
        shown = [
            order
            for order in venue.orders
            if order.visible_at <= now
            and (order.status in OPEN or since is None or order.at >= since - _REMEMBERED)
        ]
        fills = [
            fill.execution
            for fill in venue.fills.values()
            if fill.visible_at <= now and (since is None or fill.execution.at >= since)
        ]
        is_early = now - self._since < _FILLING
        if self._network.profile.empty_lists and is_early:
            shown, fills = [], []
        return BrokerBook(
            open_orders=tuple(one.shown() for one in shown if one.status in OPEN),
            closed_orders=tuple(one.shown() for one in shown if one.status not in OPEN),
            executions=tuple(fills),
            positions=nonzero(venue.positions),
            cash=venue.cash,
        )

    async def cancel_all(self) -> None:
        self._ready()
        self._wrote("cancel_all", "")
        venue = self._network.venue
        for identity in [one.client_order_id for one in venue.orders if one.status in OPEN]:
            if identity is not None:
                venue.cancel(identity)

    async def close(self) -> None:
        self.lose()

    def observe(self, seen: object) -> Iterable[BrokerReport]:
        """A real broker watches its own market."""
        return ()

    # -------------------------------------------------------------------------- what it tells

    async def reports(self) -> AsyncIterator[BrokerReport | BrokerLink]:
        while True:
            await asyncio.sleep(_RECONNECT * self._network.rng.random())
            if not self._network.is_up:
                continue
            self._connect()
            yield BrokerLink(is_up=True, at=self._now())
            while True:
                item = await self._heard.get()
                yield item
                if isinstance(item, BrokerLink):
                    break

    def hear(self, report: BrokerReport) -> None:
        """The venue tells something to this connection."""
        network, connection = self._network, self._connection
        times = 2 if network.happens(network.profile.duplicated) else 1
        for _ in range(times):
            delay = network.latency()
            if network.happens(network.profile.reordered):
                delay += network.rng.random() * _REORDERED
            network.later(delay, self._arrive, report, connection)

    def _arrive(self, report: BrokerReport, connection: int) -> None:
        if connection == self._connection and self._is_connected:
            self._heard.put_nowait(report)

    def lose(self) -> None:
        """The connection is gone; what was on its way is lost."""
        if self._is_connected:
            self._is_connected = False
            self._connection += 1
            self._heard.put_nowait(
                BrokerLink(is_up=False, reason="connection lost", at=self._now())
            )

    # -------------------------------------------------------------------------------- inside

    def _connect(self) -> None:
        self._is_connected = True
        self._since = self._network.loop.time()
        self._connection += 1
        self._network.lines.append(self)

    def _ready(self) -> None:
        if not self._is_connected:
            raise BrokerUnavailable("not connected to the broker", api_name=NAME)

    async def _change(self, work: Answer) -> Sequence[BrokerReport]:
        told: Sequence[BrokerReport] = await self._request(work)
        return told

    async def _request(self, work: Answer, *, is_question: bool = False) -> Any:  # noqa: ANN401
        """Send, let the venue work when it arrives, and wait for the answer as long as we would."""
        self._ready()
        network, profile = self._network, self._network.profile
        answer: asyncio.Future[Any] = network.loop.create_future()
        if network.happens(profile.throttled):
            network.later(network.latency(), self._fail, answer, _THROTTLED)
        elif network.happens(profile.failing):
            is_done = not is_question and network.happens(0.5)
            network.later(network.latency(), self._arrived, answer, work, is_done, _FAILED)
        elif network.happens(profile.request_lost):
            pass
        else:
            delay = network.latency()
            if not is_question and network.happens(profile.late):
                delay += PATIENCE + network.rng.random() * _LATE
            lost = network.happens(profile.answer_lost)
            network.later(delay, self._arrived, answer, work, True, _LOST if lost else None)
        patience = Patience(answer)
        timer = network.loop.call_later(PATIENCE, patience.end)
        try:
            return await answer
        finally:
            timer.cancel()
            patience.check()

    def _fail(self, answer: "asyncio.Future[Any]", why: str) -> None:
        if not answer.done():
            answer.set_exception(BrokerUnavailable(why, api_name=NAME, status_code=429))

    def _arrived(
        self, answer: "asyncio.Future[Any]", work: Answer, is_done: bool, why: str | None
    ) -> None:
        """The request is at the venue, which does it; the answer goes back, or is lost."""
        result: Any = None
        error: Exception | None = None
        if is_done:
            try:
                result = work()
            except BrokerRejected as no:
                error = no
        if why is _LOST:
            return
        if why is not None:
            error = ConnectionError(why)
        self._network.later(self._network.latency(), _answer, answer, result, error)


def _answer(answer: "asyncio.Future[Any]", result: object, error: Exception | None) -> None:
    if answer.done():
        return
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(result)


_THROTTLED: Final = "429: too many requests"
_FAILED: Final = "503: try again later"
_LOST: Final = "lost"
UNFINISHED: Final = frozenset({OrderStatus.ACCEPTED, OrderStatus.PARTIALLY_FILLED})
