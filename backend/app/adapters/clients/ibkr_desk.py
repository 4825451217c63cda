"""Orders as the Gateway tells of them: who waits for which answer, and what is news.

An order is known by its reference (ours) and its permId (IBKR's). The order id of the socket is
only where cancels and changes are sent to: it belongs to a client id, and a Gateway that was
restarted may use it again.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from app.adapters.clients.ibkr_contracts import is_traded
from app.adapters.clients.ibkr_errors import NAME
from app.adapters.clients.ibkr_executions import Executions
from app.adapters.clients.ibkr_order_codes import (
    CANCELED,
    HELD,
    REJECTED,
    Verdict,
    judge,
    sentence,
)
from app.adapters.clients.ibkr_terms import change_of, end_status, exact, fill, seen
from app.core.clock import Clock
from app.core.errors import BrokerRejected, FeedLost
from app.core.logging import get_logger
from app.domain.events import (
    BrokerReport,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderReplaced,
)
from app.domain.orders import BrokerOrder, OrderChange, OrderStatus, Side, foreign_id

Change = Literal["submit", "cancel", "replace"]
Answer = asyncio.Future[tuple[BrokerReport, ...]]
Closing = OrderRejected | OrderCanceled | OrderExpired
ZERO: Final = Decimal(0)
LIVE: Final = frozenset({"PreSubmitted", "Submitted", "PendingCancel"})
ENDED: Final = frozenset({"Cancelled", "ApiCancelled"})
log = get_logger("trading")


@dataclass(eq=False, kw_only=True)
class Tracked:
    """One order of the account, ours or not."""

    identity: str
    "Our client order id, or `foreign_id` of the permId."
    is_ours: bool
    order_id: int = 0
    "Where the socket finds it; 0: nowhere."
    client_id: int = 0
    perm_id: int = 0
    contract: Any = None
    group: str = ""
    change: OrderChange | None = None
    "Quantity and prices as they were last seen, or asked for."
    seen: BrokerOrder | None = None
    status: str = ""
    filled: Decimal = ZERO
    average: Decimal = ZERO
    epoch: int = 0
    "The connection in which the Gateway last showed it."
    is_told: bool = False
    "Whether the broker's acceptance was told, or need not be."
    closing: Closing | None = None
    closed_at: datetime | None = None
    said: tuple[int, str] | None = None
    "The newest message about it that was no mere remark."
    waiting: dict[Change, Answer] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.closing is None and self.status != "Filled"

    @property
    def left(self) -> Decimal:
        """Shares that may still fill, as was last seen or asked for."""
        return ZERO if self.change is None else self.change.quantity - self.filled

    @property
    def order(self) -> BrokerOrder | None:
        """As it stands now."""
        if self.seen is None:
            return None
        status = OrderStatus.PARTIALLY_FILLED if self.filled else OrderStatus.ACCEPTED
        if self.status == "Filled":
            status = OrderStatus.FILLED
        return msgspec.structs.replace(
            self.seen,
            status=status,
            filled_quantity=self.filled,
            average_price=self.average if self.filled else None,
        )


class Desk:
    """All orders of one account. `tell` gets what nobody waits for."""

    def __init__(
        self,
        account_id: int,
        tell: Callable[[BrokerReport], None],
        executions: Executions,
        clock: Clock,
    ) -> None:
        self._prefix = f"{account_id}-"
        self._tell, self._clock = tell, clock
        self.executions = executions
        self.account = ""
        "IBKR's name of the account; what is about others is not heard."
        self.client_id = -1
        self.epoch = 0
        self._by_identity: dict[str, Tracked] = {}
        self._by_perm: dict[int, Tracked] = {}
        self._by_number: dict[int, Tracked] = {}
        "By order id of our own client id."

    # --------------------------------------------------------------------------- asked

    def get(self, identity: str) -> Tracked | None:
        """An order that we placed or saw."""
        return self._by_identity.get(identity)

    def group_of(self, group_id: str) -> tuple[str | None, set[Decimal]]:
        """The name by which open orders of a group are linked at IBKR, and what is left of each."""
        linked = [
            one
            for one in self._by_identity.values()
            if one.is_open and one.group.rpartition("#")[0] == group_id
        ]
        return linked[0].group if linked else None, {one.left for one in linked}

    def is_ours(self, reference: str, client_id: int | None = None) -> bool:
        """Whether an order with this reference was placed by this account of ours."""
        is_known = reference in self._by_identity or reference.startswith(self._prefix)
        return bool(reference) and (is_known or client_id == self.client_id)

    def begin(self, one: Tracked, change: Change) -> Answer:
        """Somebody is about to send something, and waits for what is said to it."""
        answer: Answer = asyncio.get_running_loop().create_future()
        one.waiting[change] = answer
        one.said = None
        self._by_identity[one.identity] = one
        if one.order_id:
            self._by_number[one.order_id] = one
        return answer

    def drop(self, one: Tracked) -> None:
        """It was certainly never sent."""
        self._by_identity.pop(one.identity, None)
        self._by_number.pop(one.order_id, None)

    def lost(self, error: FeedLost) -> None:
        """The connection is gone, and with it every answer that somebody waits for."""
        for one in list(self._by_identity.values()):
            for answer in one.waiting.values():
                if not answer.done():
                    answer.set_exception(error)
            one.waiting.clear()

    def forget(self, until: datetime) -> None:
        """Drop orders that ended before."""
        for one in list(self._by_identity.values()):
            if one.closed_at is not None and one.closed_at < until:
                del self._by_identity[one.identity]
                self._by_perm.pop(one.perm_id, None)
                self._by_number.pop(one.order_id, None)

    def shown(self, perm_ids: Iterable[int]) -> list[BrokerOrder]:
        """Orders of the account that the Gateway has just shown as open."""
        found = (self._by_perm.get(perm_id) for perm_id in perm_ids)
        return [one.order for one in found if one is not None and one.order is not None]

    def filled(self, identity: str) -> BrokerOrder | None:
        """An order of which there are fills and nothing else any more; None without any."""
        fills = self.executions.of(identity)
        if not fills:
            return None
        one = self.get(identity) or Tracked(identity=identity, is_ours=True)
        quantity = sum((fill.quantity for fill in fills), ZERO)
        wanted = quantity if one.change is None else one.change.quantity
        return BrokerOrder(
            broker_order_id=str(one.perm_id),
            client_order_id=identity,
            symbol=fills[0].symbol,
            side=Side(fills[0].side),
            quantity=wanted,
            status=OrderStatus.FILLED if quantity >= wanted else OrderStatus.PARTIALLY_FILLED,
            filled_quantity=quantity,
            average_price=sum((fill.quantity * fill.price for fill in fills), ZERO) / quantity,
        )

    # ---------------------------------------------------------------------------- heard

    def on_open_order(self, number: int, contract: Any, order: Any, state: Any) -> None:  # noqa: ANN401
        """Message 5: the order whole, with its status."""
        if order.account != self.account or not is_traded(contract):
            return
        one = self._placed(number, order)
        one.contract, one.group, one.epoch = contract, order.ocaGroup, self.epoch
        identity = one.identity if one.is_ours else None
        if order.permId:
            one.seen = seen(contract, order, identity, OrderStatus.ACCEPTED)
        change, before = change_of(order), one.change
        one.change = change
        self._on_status(one, state.status)
        if before is not None and before != change and one.is_open:
            self._on_changed(one)

    def on_order_status(self, *said: Any) -> None:  # noqa: ANN401
        """Message 3."""
        number, word, filled, _, average, perm_id, _, _, client_id, *_ = said
        one = self._by_perm.get(perm_id)
        if one is None and client_id == self.client_id:
            one = self._by_number.get(number)
            if one is not None and one.perm_id not in (0, perm_id):
                return
        if one is None:
            return
        self._name(one, perm_id)
        if exact(filled) >= one.filled:
            one.filled, one.average = exact(filled), exact(average)
        self._on_status(one, word)

    def on_execution(self, contract: Any, execution: Any, *, is_live: bool) -> None:  # noqa: ANN401
        """Message 11: a fill, maybe before anything else is said of its order."""
        if execution.acctNumber != self.account or not is_traded(contract):
            return
        one = self._by_perm.get(execution.permId)
        reference, client_id = execution.orderRef, execution.clientId
        is_ours = self.is_ours(reference, client_id)
        if one is None and is_ours:
            one = self._by_identity.get(reference)
            if one is not None and one.perm_id not in (0, execution.permId):
                one, is_ours = None, False
        if one is not None:
            self._name(one, execution.permId)
            self._accept(one)
            identity = one.identity
        else:
            identity = reference if is_ours else foreign_id(str(execution.permId))
        self.executions.hear(fill(contract, execution, identity), is_news=is_live or is_ours)

    def on_error(self, number: int, code: int, said: str) -> None:
        """A message about the order with this order id, if there is one."""
        one = self._by_number.get(number)
        if one is None:
            return
        verdict, text = judge(code), sentence(code, said)
        if verdict is Verdict.REMARK:
            log.info("ibkr_order_remark", order=one.identity, code=code, text=said)
            if code == HELD:
                self._accept(one)
            return
        note = log.info if verdict is Verdict.CANCELED else log.warning
        note("ibkr_order_message", order=one.identity, code=code, text=said)
        one.said = (code, text)
        no = BrokerRejected(text, api_name=NAME, code=code)
        if verdict is not Verdict.UNCLEAR and _fail(one, "replace", no):
            one.said = None  # the order itself may be as it was
            return
        if verdict is Verdict.TOO_LATE:
            _fail(one, "cancel", no)
        elif verdict is Verdict.CANCELED:
            self._end(one, "Cancelled")
        elif verdict is Verdict.REFUSED and not one.is_told:
            self._reject(one, text)

    def on_ended(self, one: Tracked, found: BrokerOrder) -> None:
        """It is among the completed ones, and we had not heard of its end."""
        self._name(one, int(found.broker_order_id))
        if found.status is OrderStatus.FILLED:
            one.filled = max(one.filled, found.filled_quantity)
            self._on_status(one, "Filled")
            return
        reason = found.reason or "ended while the Gateway was not connected"
        if found.status is OrderStatus.REJECTED:
            self._reject(one, reason)
        else:
            one.said = (CANCELED, reason)
            self._end(one, "Cancelled")

    # ---------------------------------------------------------------------------- inside

    def _placed(self, number: int, order: Any) -> Tracked:  # noqa: ANN401
        """The order that a message is about; it may be new to us."""
        is_mine = order.clientId == self.client_id and number > 0
        is_ours = self.is_ours(order.orderRef, order.clientId)
        one = self._by_perm.get(order.permId) if order.permId else None
        if one is None and is_ours:
            one = self._by_identity.get(order.orderRef)
            if one is not None and one.perm_id and order.permId not in (0, one.perm_id):
                log.error("ibkr_order_twice", order=one.identity, other=order.permId)
                one, is_ours = None, False
        if one is None:
            identity = order.orderRef if is_ours else foreign_id(str(order.permId))
            one = Tracked(identity=identity, is_ours=is_ours, is_told=True)
            self._by_identity[identity] = one
        one.client_id = order.clientId
        if is_mine:
            one.order_id = number
            self._by_number[number] = one
        self._name(one, order.permId)
        return one

    def _name(self, one: Tracked, perm_id: int) -> None:
        if perm_id and not one.perm_id:
            one.perm_id = perm_id
            self._by_perm[perm_id] = one

    def _on_status(self, one: Tracked, word: str) -> None:
        one.status = word
        if word in LIVE:
            self._on_live(one)
        elif word == "Filled":
            self._accept(one)
            one.closed_at = self._clock.now()
            _fail(one, "cancel", BrokerRejected("It has filled.", api_name=NAME))
            _fail(one, "replace", BrokerRejected("It has filled.", api_name=NAME))
        elif word in ENDED:
            self._end(one, word)
        elif word == "Inactive" and one.said is not None and one.said[0] == REJECTED:
            self._reject(one, one.said[1])

    def _on_live(self, one: Tracked) -> None:
        if isinstance(one.closing, OrderRejected) and one.perm_id and one.status == "Submitted":
            one.closing, one.closed_at, one.is_told = None, None, False  # a late acceptance
        self._accept(one)

    def _accept(self, one: Tracked) -> None:
        if one.is_told or not one.perm_id or one.closing is not None:
            return
        one.is_told = True
        report = OrderAccepted(
            client_order_id=one.identity,
            broker_order_id=str(one.perm_id),
            at=self._clock.now(),
        )
        self._answer(one, "submit", report)

    def _on_changed(self, one: Tracked) -> None:
        """The broker shows other terms than before: asked for, reduced with its group, by hand.

        Of an order that was taken over, only who compares the books knows which part is ours.
        """
        if one.is_ours:
            self._answer(one, "replace", replaced(one, self._clock.now()))

    def _reject(self, one: Tracked, reason: str) -> None:
        at = self._clock.now()
        self._close(one, OrderRejected(client_order_id=one.identity, reason=reason, at=at))

    def _end(self, one: Tracked, word: str) -> None:
        """Cancelled: by us, by the market, or because it was refused."""
        code, reason = one.said or (0, "canceled")
        if code == REJECTED or (not one.is_told and judge(code) is Verdict.REFUSED):
            self._reject(one, reason)
            return
        self._accept(one)
        is_expired = end_status(word, reason) is OrderStatus.EXPIRED
        kind = OrderExpired if is_expired else OrderCanceled
        self._close(one, kind(client_order_id=one.identity, reason=reason, at=self._clock.now()))

    def _close(self, one: Tracked, report: Closing) -> None:
        if one.closing is not None:
            return
        one.closing, one.closed_at = report, self._clock.now()
        self._flush(one)
        no = BrokerRejected(report.reason, api_name=NAME)
        if isinstance(report, OrderRejected) and _fail(one, "submit", no):
            return
        _fail(one, "replace", no)
        self._answer(one, "cancel", report)

    def _flush(self, one: Tracked) -> None:
        """Fills come before the end that follows from them: its own, and those of its group."""
        together = self._by_identity.values() if one.group else (one,)
        for other in together:
            if other.group == one.group:
                self.executions.flush(other.identity)

    def _answer(self, one: Tracked, change: Change, report: BrokerReport) -> None:
        """Tell who waits for it, else everybody."""
        waiting = one.waiting.get(change)
        if waiting is not None and not waiting.done():
            waiting.set_result((report,))
        else:
            self._tell(report)


def replaced(one: Tracked, at: datetime) -> OrderReplaced:
    """Its terms as IBKR last showed them."""
    change = one.change or OrderChange(quantity=ZERO)
    return OrderReplaced(
        client_order_id=one.identity,
        broker_order_id=str(one.perm_id),
        quantity=change.quantity,
        limit_price=change.limit_price,
        stop_price=change.stop_price,
        trail=change.trail,
        at=at,
    )


def _fail(one: Tracked, change: Change, error: Exception) -> bool:
    """Raise it where somebody waits for this answer; False where nobody does."""
    answer = one.waiting.get(change)
    if answer is None or answer.done():
        return False
    answer.set_exception(error)
    return True
