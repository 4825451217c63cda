"""Interactive Brokers: orders by TWS or Gateway. What to prepare is in docs/brokers/ibkr.md.

orderRef is our client order id, permId the broker's; the socket's order ids are only addresses.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing, suppress
from datetime import datetime, timedelta
from typing import Any, Final

from app.adapters.clients import ibkr_terms as terms
from app.adapters.clients.ibkr import IbkrSession, shared_session
from app.adapters.clients.ibkr_contracts import is_traded
from app.adapters.clients.ibkr_desk import Change, Desk, Tracked, replaced
from app.adapters.clients.ibkr_errors import (
    NAME,
    SERVERS_BACK,
    SERVERS_BACK_DATA_LOST,
)
from app.adapters.clients.ibkr_executions import Executions
from app.adapters.clients.ibkr_lending import lent
from app.adapters.clients.ibkr_link import Link, Patience
from app.adapters.clients.ibkr_login import Contracts, account_of, options_of, settings_of
from app.adapters.clients.ibkr_news import News
from app.adapters.clients.ibkr_questions import Questions
from app.core.clock import Clock, system
from app.core.errors import (
    BrokerRejected,
    BrokerUnavailable,
    TradewrightError,
    TransientError,
)
from app.core.logging import get_logger
from app.core.tasks import end
from app.domain.events import BrokerReport, FundsSeen, SliceClosed
from app.domain.market import SliceOpened
from app.domain.orders import BrokerOrder, Order
from app.domain.ports import BrokerAbilities, BrokerBook, BrokerLink, BrokerSetup

ABILITIES: Final = BrokerAbilities(links_orders=True, remembers=timedelta(days=1))
"Of executions and ended orders, IBKR's API remembers the current day."
KEPT: Final = timedelta(days=2)
"How long an order that ended is known here."
Write = Callable[[Any], None]
"Writes a message with the library's client."
FEW: Final = 100
"So many instruments are looked up at once; of more, those that are watched."
log = get_logger("trading")


class Adapter:
    """One IBKR account behind the port `Broker`."""

    name = NAME
    is_simulated = False
    abilities = ABILITIES

    def __init__(
        self,
        setup: BrokerSetup,
        *,
        session: IbkrSession | None = None,
        clock: Clock = system,
        patience: Patience | None = None,
    ) -> None:
        self.session = session or shared_session(options_of(setup), clock)
        self.settings = settings_of(setup)
        self._setup, self._clock = setup, clock
        self._patience = patience or Patience()
        self._news: News[BrokerReport | BrokerLink] = News()
        self._executions = Executions(
            self._news.tell, clock, patience_seconds=self._patience.commission
        )
        self._desk = Desk(setup.account_id, self._news.tell, self._executions, clock)
        self._questions = Questions(self.session, seconds=self._patience.question)
        self._link = Link(
            self.session,
            clock,
            self._patience,
            self._synchronise,
            self._news.tell,
            self._desk.lost,
        )
        self._contracts = Contracts(self.session)
        self._joined = 0
        self._is_heard = False

    @property
    def is_looking_up(self) -> bool:
        """Whether contracts are being asked for; orders of their symbols are not sent yet."""
        return self._contracts.is_asking

    # ------------------------------------------------------------------------------ orders

    async def submit(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        known = self._desk.get(order.client_order_id)
        if known is not None:
            return ()  # placed before, maybe in another life: never twice
        if (no := terms.refusal(order)) is not None:
            raise BrokerRejected(no, api_name=NAME)
        contract = self._ready(order.symbol)
        number = int(self.session.ib.client.getReqId())
        group = self._group(order, number)
        one = Tracked(
            identity=order.client_order_id,
            is_ours=True,
            order_id=number,
            client_id=self._desk.client_id,
            contract=contract,
            group=group,
            change=terms.wish_of(order),
        )
        return await self._place(one, order, "submit")

    async def replace(self, order: Order, at: datetime) -> Sequence[BrokerReport]:
        one = self._desk.get(order.client_order_id)
        contract = self._ready(order.symbol)
        if one is None or not one.is_open:
            raise BrokerRejected("IBKR does not have the order any more.", api_name=NAME)
        self._check_address(one)
        # A Gateway that has forgotten the order id would take a change for a new order.
        if one.epoch != self._desk.epoch or one.status not in ("PreSubmitted", "Submitted"):
            raise BrokerUnavailable(
                f"The Gateway has not shown the order since it was connected ({one.status}).",
                api_name=NAME,
            )
        if (no := terms.refusal(order)) is not None:
            raise BrokerRejected(no, api_name=NAME)
        if terms.wish_of(order) == one.change:
            return (replaced(one, self._clock.now()),)
        one.contract = one.contract or contract
        try:
            return await self._place(one, order, "replace")
        except BrokerRejected:
            await self._look(one)
            raise

    async def cancel(self, client_order_id: str, at: datetime) -> Sequence[BrokerReport]:
        one = self._desk.get(client_order_id)
        self._check_link()
        if one is None:
            return ()
        if one.closing is not None:
            return (one.closing,)
        if one.status == "Filled":
            raise BrokerRejected("It has filled.", api_name=NAME)
        self._check_address(one)
        try:
            return await self._ask(one, "cancel", lambda client: client.cancelOrder(one.order_id))
        except BrokerRejected:
            await self._look(one)
            raise

    async def cancel_all(self) -> None:
        """IBKR's global cancel: orders made by hand and by other programs too."""
        if not self._joined:
            self._joined += 1
            self.session.join()
        await self.session.connect()
        self._send(lambda client: client.reqGlobalCancel())

    def observe(self, seen: object) -> Iterable[BrokerReport]:
        """Only to learn which symbols may be traded soon: their contracts are looked up."""
        if isinstance(seen, SliceOpened) and self._link.is_up:
            self._contracts.ask(seen.opens)
        elif isinstance(seen, SliceClosed) and self._link.is_up:
            self._contracts.ask(bar.symbol for bar in seen.bars)
        return ()

    # ---------------------------------------------------------------------------- questions

    async def reports(self) -> AsyncIterator[BrokerReport | BrokerLink]:
        self._start_hearing()
        keeping = asyncio.create_task(self._link.run())
        try:
            async with aclosing(self._news.read()) as reading:
                async for news in reading:
                    yield news
        finally:
            await end([keeping])

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        """Looks at open orders, at the day's ended ones, and at the day's fills."""
        self._check_link()
        open_, ended = await self._orders()
        for one in open_ + ended:
            if one.identity == client_order_id:
                return one
        await self._questions.executions(self._desk.account)
        return self._desk.filled(client_order_id)

    async def book(self, since: datetime | None = None) -> BrokerBook:
        self._check_link()
        epoch = self._desk.epoch
        open_, ended = await self._orders()
        known = self._executions.names()
        listed = await self._questions.executions(self._desk.account)
        self._executions.flush()
        whole = self._executions.compare(known, listed)
        held = await self._questions.positions(self._desk.account)
        money = await self._questions.money(self._desk.account)
        self._check_link()
        self._contracts.ask(held)
        if epoch != self._desk.epoch:
            raise BrokerUnavailable(
                "The connection broke while the books were read.", api_name=NAME
            )
        return BrokerBook(
            open_orders=tuple(open_),
            executions=self._executions.take(since),
            complete_since=max(whole, since) if whole and since else whole,
            closed_orders=tuple(ended),
            positions={symbol: quantity for symbol, (quantity, _) in held.items()},
            average_prices={symbol: cost for symbol, (_, cost) in held.items()},
            cash=money.get("CashBalance", money.get("TotalCashValue")),
        )

    async def funds(self, at: datetime) -> FundsSeen:
        """What may be spent, as an input for the engine."""
        self._check_link()
        money = await self._questions.money(self._desk.account)
        return FundsSeen(
            buying_power=money.get("BuyingPower"), settled_cash=money.get("SettledCash"), at=at
        )

    async def lends(self, symbols: Iterable[str]) -> dict[str, bool]:
        """Which of the symbols IBKR has shares of to lend now; those that it says nothing of lack.

        Needs a market data line and a subscription each.
        """
        return await lent(self.session, symbols, seconds=self._patience.answer)

    async def close(self) -> None:
        await self._contracts.close()
        self._executions.flush()
        if self._is_heard:
            self.session.wire.ears.remove(self._hear)
            self.session.ib.errorEvent -= self._on_error
            self._is_heard = False
        while self._joined:
            self._joined -= 1
            await self.session.leave()

    # ----------------------------------------------------------------------------- sending

    async def _place(self, one: Tracked, order: Order, change: Change) -> Sequence[BrokerReport]:
        """Write placeOrder: for a new order, or for a change of one. Nothing waits before that."""
        wanted = terms.request(
            self.session.wire.module,
            order,
            self._desk.account,
            one.group,
            outside_hours=self.settings.outside_hours,
        )
        try:
            return await self._ask(
                one, change, lambda client: client.placeOrder(one.order_id, one.contract, wanted)
            )
        except BrokerUnavailable:
            if change == "submit":
                self._desk.drop(one)
            raise

    async def _ask(self, one: Tracked, change: Change, write: Write) -> Sequence[BrokerReport]:
        """Write at once, and wait for what is said to it."""
        answer = self._desk.begin(one, change)
        try:
            self._send(write)
            async with asyncio.timeout(self._patience.answer):
                reports = await answer
        except TimeoutError:
            raise TransientError(
                f"The Gateway said nothing to the {change} of {one.identity}"
                f" for {self._patience.answer:g} s.",
                api_name=NAME,
            ) from None
        finally:
            # What comes later is news: nobody waits for it any more.
            if one.waiting.get(change) is answer:
                del one.waiting[change]
        # Fills that came before an end are learnt before it.
        await self._news.taken(self._patience.taken)
        return reports

    def _send(self, write: Write) -> None:
        """Raises BrokerUnavailable when the socket is gone: nothing was written then."""
        try:
            write(self.session.ib.client)
        except ConnectionError as error:
            raise BrokerUnavailable(f"The Gateway is gone: {error}.", api_name=NAME) from None

    def _check_link(self) -> None:
        if not self._link.is_up or not self.session.is_connected:
            raise BrokerUnavailable(self._link.trouble, api_name=NAME)

    def _ready(self, symbol: str) -> Any:  # noqa: ANN401
        """The contract of `symbol`, where a message may be written at once."""
        self._check_link()
        if not self.session.wire.may_send_at_once():
            raise BrokerUnavailable("IBKR takes 50 messages a second: wait.", api_name=NAME)
        return self._contracts.get(symbol)

    def _check_address(self, one: Tracked) -> None:
        """Raises BrokerRejected for an order that only somebody else can change or cancel."""
        if one.order_id and one.client_id == self._desk.client_id:
            return
        whose = f"the API client {one.client_id}" if one.client_id else "TWS, by hand"
        raise BrokerRejected(
            f"The order was made in {whose}: IBKR lets nobody else change or cancel it.",
            api_name=NAME,
            remedy="Cancel it there, or cancel all orders of the account at once.",
        )

    def _group(self, order: Order, number: int) -> str:
        """IBKR never takes the name of a group again once one of it has filled or was cancelled.

        It takes the same share off all of a group, so that the end of a small one would end a
        large one: an order that is not as large as the others is not linked with them.
        """
        if order.group_id is None:
            return ""
        name, left = self._desk.group_of(order.group_id)
        if name is None:
            return f"{order.group_id}#{number}"
        return name if left == {order.remaining_quantity} else ""

    # ----------------------------------------------------------------------------- hearing

    def _start_hearing(self) -> None:
        if not self._is_heard:
            self._is_heard = True
            self._joined += 1
            self.session.join(trading=True)
            self.session.wire.ears.append(self._hear)
            self.session.ib.errorEvent += self._on_error

    def _hear(self, name: str, said: tuple[Any, ...]) -> None:
        """A message of orders. What cannot be understood is read again from the lists."""
        try:
            self._questions.hear(name, said)
            if name == "openOrder":
                self.session.wire.passed(said[0])
                self._desk.on_open_order(*said)
            elif name == "orderStatus":
                self._desk.on_order_status(*said)
            elif name == "execDetails":
                self.session.wire.passed(said[2].orderId)
                self._desk.on_execution(*said[1:], is_live=said[0] < 0)
            elif name == "commissionReport":
                self._executions.commission(said[0].execId, said[0].commission)
        except Exception:
            log.exception("ibkr_message_not_understood", message=name)
            self.session.give_up("a message about orders was not understood")

    def _on_error(self, number: int, code: int, said: str, _: object = None) -> None:
        if code in (SERVERS_BACK, SERVERS_BACK_DATA_LOST):
            self._link.notice()
        elif number >= 0:
            self._desk.on_error(number, code, said)

    # ------------------------------------------------------------------------- catching up

    async def _synchronise(self) -> None:
        """After each connection: what is open, what was filled, what has ended meanwhile."""
        desk = self._desk
        desk.client_id = self.session.client_id or self.session.options.client_id
        desk.epoch += 1
        names = [str(name) for name in self.session.ib.client.getAccounts()]
        desk.account = account_of(names, self.settings.account, self._setup.mode)
        desk.forget(self._clock.now() - KEPT)
        self._executions.forget()
        await self._questions.open_orders()
        await self._questions.executions(desk.account)
        self._executions.flush()
        for contract, order, state in await self._questions.completed_orders():
            self._note_end(contract, order, state)
        self._contracts.begin()
        if len(self._setup.instruments) <= FEW:
            self._contracts.ask(self._setup.instruments)

    def _note_end(self, contract: Any, order: Any, state: Any) -> None:  # noqa: ANN401
        """An order that we placed in this life, and whose end we did not hear of."""
        one = self._desk.get(order.orderRef)
        if one is not None and one.is_open and order.account == self._desk.account:
            self._desk.on_ended(one, terms.ended(contract, order, state, one.identity))

    async def _orders(self) -> tuple[list[BrokerOrder], list[BrokerOrder]]:
        """Open ones, and those that ended today."""
        account = self._desk.account
        shown = {said[2].permId for said in await self._questions.open_orders()}
        open_ = self._desk.shown(shown)
        ended = []
        for contract, order, state in await self._questions.completed_orders():
            if order.account == account and is_traded(contract):
                identity = order.orderRef if self._desk.is_ours(order.orderRef) else None
                ended.append(terms.ended(contract, order, state, identity))
        gone = {one.broker_order_id for one in ended}
        return [one for one in open_ if one.broker_order_id not in gone], ended

    async def _look(self, one: Tracked) -> None:
        """After a no to a change: tell what has become of the order, if it can be had."""
        with suppress(TradewrightError):
            for contract, order, state in await self._questions.completed_orders():
                if order.permId == one.perm_id:
                    self._note_end(contract, order, state)
            await self._questions.executions(self._desk.account)
