"""The adapter of Interactive Brokers, by both client libraries, against the loopback Gateway."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.adapters.clients import ibkr as session_module
from app.adapters.clients.ibkr_options import Library
from app.core import registry
from app.core.errors import (
    BrokerRejected,
    BrokerUnavailable,
    ConfigurationError,
    FeedLost,
    TransientError,
)
from app.domain.deployments import AccountMode
from app.domain.events import (
    ExecutionBusted,
    ExecutionCorrected,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    SliceClosed,
)
from app.domain.instruments import Instrument
from app.domain.market import SliceOpened, Timeframe
from app.domain.orders import Leg, Order, OrderStatus, OrderType, Side, TimeInForce
from app.domain.ports import Broker, BrokerLink, BrokerSetup
from tests.contracts.ibkr_broker import QUICK, IbkrAccount
from tests.factories import utc
from tests.trading import DAY, OPEN, make_bar, make_order
from tests.vendors.ibkr import IbkrLoopback
from tests.vendors.loopback import until

ID = "1-manual-AAPL-c1-e1"


@pytest.fixture
async def server() -> AsyncIterator[IbkrLoopback]:
    async with IbkrLoopback() as made:
        yield made


@pytest.fixture(params=["ib_async", "ib_insync"])
def library(request: pytest.FixtureRequest) -> Library:
    name: Library = request.param
    return name


@pytest.fixture
async def account(server: IbkrLoopback, library: Library) -> AsyncIterator[IbkrAccount]:
    made = IbkrAccount(server, library)
    await made.start()
    yield made
    await made.stop()


def limit(price: float = 170, **given: Any) -> Order:
    return make_order(type=OrderType.LIMIT, limit_price=price, **given)


def both(*values: Any) -> tuple[Any, ...]:
    """Several values to be compared at once."""
    return values


def changed(order: Order, **to: Any) -> Order:
    return msgspec.structs.replace(order, **to)


# ---------------------------------------------------------------------------------- the link


async def test_nothing_is_sent_before_the_link_is_up(server: IbkrLoopback) -> None:
    account = IbkrAccount(server)
    with pytest.raises(BrokerUnavailable, match="not made yet"):
        await account.broker.submit(limit(), OPEN)
    await account.broker.close()
    assert server.orders.placed == 0


async def test_no_gateway_is_a_link_that_is_down_until_there_is_one(server: IbkrLoopback) -> None:
    await server.kill()
    account = IbkrAccount(server)
    starting = asyncio.create_task(account.start())
    await until(lambda: account.told)
    (down,) = account.of(BrokerLink)
    assert "No TWS or Gateway listens" in down.reason
    assert (down.is_up, down.planned_until) == (False, None)
    await server.start()
    await starting
    assert [link.is_up for link in account.of(BrokerLink)] == [False, True]
    await account.stop()


async def test_an_outage_that_was_due_says_until_when(server: IbkrLoopback) -> None:
    account = IbkrAccount(server)
    account.clock.now = lambda: utc("2026-03-04 05:30")  # type: ignore[method-assign]  # 00:30 there
    await account.start()
    await server.kill()
    await until(lambda: not account.is_up)
    assert account.of(BrokerLink)[-1].planned_until == utc("2026-03-04 06:45")
    await server.start()
    await account.relink()
    await account.stop()


async def test_a_gateway_that_does_not_answer_any_more_is_left(
    server: IbkrLoopback, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "PROBE_SECONDS", 0.2)
    quick = replace(QUICK, probe=0.05)
    account = IbkrAccount(server, library, patience=quick)
    await account.start()
    server.mute()
    await until(lambda: not account.is_up)
    assert "does not answer" in account.of(BrokerLink)[-1].reason
    server.mute(on=False)
    await account.relink()
    await account.stop()


async def test_while_ibkrs_servers_are_away_nothing_is_sent(
    account: IbkrAccount, server: IbkrLoopback
) -> None:
    await account.broker.submit(limit(), OPEN)
    server.lose_servers()
    await until(lambda: not account.is_up)
    order = limit(client_order_id="1-b")
    for attempt in (
        account.broker.submit(order, OPEN),
        account.broker.replace(changed(limit(), quantity=Decimal(3)), OPEN),
        account.broker.cancel(ID, OPEN),
        account.broker.find(ID),
        account.broker.book(),
    ):
        with pytest.raises(BrokerUnavailable):
            await attempt
    server.find_servers()
    await account.relink()
    await account.broker.submit(order, OPEN)
    assert server.orders.placed == 2


async def test_what_two_connections_said_is_never_mixed(
    account: IbkrAccount, server: IbkrLoopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions, cuts = account.adapter._questions, [True]
    usual = questions.executions

    async def cut_once(owner: str) -> None:
        if cuts:
            cuts.pop()
            server.drop()
            await until(lambda: not account.session.is_connected)
        await usual(owner)

    monkeypatch.setattr(questions, "executions", cut_once)
    asked = server.counted()[16]
    server.drop()
    await account.relink()
    assert server.counted()[16] == asked + 2
    assert [link.is_up for link in account.of(BrokerLink)] == [True, False, True]


async def test_it_is_made_by_its_name_and_the_settings_alone(
    server: IbkrLoopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    broker: Broker = registry.load("brokers", "ibkr")(BrokerSetup(account_id=1))
    news = broker.reports()
    link = await anext(news)
    assert isinstance(link, BrokerLink)
    assert link.is_up
    await news.aclose()  # type: ignore[attr-defined]  # a generator
    await broker.close()


@pytest.mark.parametrize(
    ("names", "given", "said"),
    [
        ("DU1,DU2", {}, "has several accounts: DU1, DU2"),
        ("DU1,DU2", {"settings": {"account": "DU3"}}, "has no DU3, but accounts: DU1, DU2"),
        ("U1", {}, "trades real money; this account is for paper"),
        ("DU1", {"mode": AccountMode.LIVE}, "trades paper; this account is for live"),
    ],
)
async def test_the_wrong_account_is_never_traded(
    server: IbkrLoopback, names: str, given: dict[str, Any], said: str
) -> None:
    server.account.name = names
    account = IbkrAccount(server, **given)
    starting = asyncio.create_task(account.start())
    await until(lambda: account.told)
    assert said in account.of(BrokerLink)[0].reason
    starting.cancel()
    await account.stop()


def test_a_setting_that_there_is_not_is_named(server: IbkrLoopback) -> None:
    with pytest.raises(ConfigurationError, match=r"account and outside_hours: .*`acount`"):
        IbkrAccount(server, settings={"acount": "DU1"})


async def test_one_of_several_accounts_is_named(server: IbkrLoopback) -> None:
    server.account.name = "DU1,DU2"
    account = IbkrAccount(server, settings={"account": "DU2", "outside_hours": "true"})
    await account.start()
    await account.broker.submit(limit(), OPEN)
    assert account.ticket().tag.wish.account == "DU2"
    assert account.ticket().tag.wish.outside_hours
    await account.stop()


async def test_two_accounts_of_one_login_share_its_connection(server: IbkrLoopback) -> None:
    server.account.name = "DU1,DU2"
    first = IbkrAccount(server, settings={"account": "DU1"})
    second = IbkrAccount(server, settings={"account": "DU2"}, account_id=2, session=first.session)
    await asyncio.gather(first.start(), second.start())
    await first.broker.submit(limit(client_order_id="1-a"), OPEN)
    await second.broker.submit(limit(client_order_id="2-a"), OPEN)
    server.orders.exchange.print("AAPL", 170)
    for account, reference in ((first, "1-a"), (second, "2-a")):
        await account.wait_for("OrderFilled")
        assert account.of(OrderFilled)[0].execution.client_order_id == reference
    books = await asyncio.gather(first.broker.book(), second.broker.book())
    assert [one.client_order_id for book in books for one in book.executions] == ["1-a", "2-a"]
    assert server.accepted == 1
    await first.stop()
    assert second.session.is_connected
    await second.stop()


# -------------------------------------------------------------------------------- submitting


@pytest.mark.parametrize(
    ("given", "kind", "prices"),
    [
        ({"type": OrderType.MARKET}, "market", (None, None, None)),
        ({"type": OrderType.LIMIT, "limit_price": 170.01}, "limit", ("170.01", None, None)),
        ({"type": OrderType.STOP, "stop_price": 171}, "stop", (None, "171", None)),
        (
            {"type": OrderType.STOP_LIMIT, "stop_price": 171, "limit_price": 172},
            "stop_limit",
            ("172", "171", None),
        ),
        (
            {"type": OrderType.TRAILING_STOP, "stop_price": 175, "trail": Decimal(5)},
            "trailing_stop",
            (None, "175", "5"),
        ),
    ],
)
async def test_every_type_of_order_is_taken(
    account: IbkrAccount, given: dict[str, Any], kind: str, prices: tuple[str | None, ...]
) -> None:
    (accepted,) = await account.broker.submit(make_order(**given), OPEN)
    ticket = account.ticket()
    assert isinstance(accepted, OrderAccepted)
    assert accepted.broker_order_id == str(ticket.number)
    wanted = tuple(None if one is None else Decimal(one) for one in prices)
    assert (ticket.kind, (ticket.limit, ticket.stop, ticket.trail)) == (kind, wanted)
    found = await account.broker.find(ID)
    assert found is not None
    assert found.type is given["type"]
    assert (found.limit_price, found.stop_price, found.trail) == wanted


@pytest.mark.parametrize("life", list(TimeInForce))
async def test_every_time_in_force_is_kept(account: IbkrAccount, life: TimeInForce) -> None:
    await account.broker.submit(limit(time_in_force=life), OPEN)
    assert account.ticket().life == life.value
    if life in (TimeInForce.IOC, TimeInForce.FOK):
        await account.wait_for("OrderCanceled")


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (make_order(quantity=1.5), "whole shares only"),
        (make_order(client_order_id="x" * 65), "does not fit IBKR's order reference"),
        (make_order(client_order_id="1-ä"), "printable ASCII"),
        (
            make_order(type=OrderType.STOP, stop_price=1, time_in_force=TimeInForce.IOC),
            "ioc only for market and limit orders",
        ),
    ],
)
async def test_what_ibkr_cannot_do_is_refused_here(
    account: IbkrAccount, order: Order, said: str
) -> None:
    with pytest.raises(BrokerRejected, match=said):
        await account.broker.submit(order, OPEN)
    assert account.server.orders.placed == 0


async def test_a_definite_no_has_the_brokers_reason(account: IbkrAccount) -> None:
    account.server.orders.reject(201, "Order rejected - reason:no margin")
    with pytest.raises(BrokerRejected, match=r"\(201\): Order rejected - reason:no margin"):
        await account.broker.submit(limit(), OPEN)
    found = await account.broker.find(ID)
    assert found is not None
    assert found.status is OrderStatus.REJECTED
    assert account.names() == []


async def test_a_read_only_gateway_says_what_to_switch(account: IbkrAccount) -> None:
    account.server.orders.read_only = True
    with pytest.raises(BrokerRejected, match="Switch off 'Read-Only API'"):
        await account.broker.submit(limit(), OPEN)


async def test_a_no_after_the_yes_is_told(account: IbkrAccount) -> None:
    await account.broker.submit(limit(), OPEN)
    account.exchange.end(account.ticket(), "rejected", "margin")
    await account.wait_for("OrderRejected")
    assert "margin" in account.of(OrderRejected)[0].reason


async def test_remarks_change_nothing(account: IbkrAccount) -> None:
    await account.broker.submit(limit(), OPEN)
    number = account.ticket().tag.order_id
    for caller in account.server.callers:
        for code in (399, 404, 2109, 10349):
            caller.error(number, code, "Order Message: will not be placed at the exchange until…")
    account.exchange.print("AAPL", 170)
    await account.wait_for("OrderFilled")


async def test_a_short_sale_that_waits_for_shares_is_an_open_order(account: IbkrAccount) -> None:
    account.server.orders.lose_acks()
    with pytest.raises(TransientError):
        await account.broker.submit(limit(side=Side.SELL), OPEN)
    ticket = account.ticket()
    ticket.tag.status = "Inactive"
    await account.broker.book()
    for caller in account.server.callers:
        caller.error(ticket.tag.order_id, 404, "Shares for this order are not available")
    await account.wait_for("OrderAccepted")


async def test_an_order_is_never_sent_twice(account: IbkrAccount) -> None:
    account.server.orders.lose_acks()
    with pytest.raises(TransientError, match="said nothing to the submit"):
        await account.broker.submit(limit(), OPEN)
    assert await account.broker.submit(limit(), OPEN) == ()
    assert len(account.exchange.find(ID)) == 1
    found = await account.broker.find(ID)
    assert found is not None
    assert found.status is OrderStatus.ACCEPTED
    await account.wait_for("OrderAccepted")  # adopted late, by what was found


async def test_an_order_that_nobody_took_is_not_found(account: IbkrAccount) -> None:
    account.server.orders.swallow()
    with pytest.raises(TransientError):
        await account.broker.submit(limit(), OPEN)
    assert await account.broker.find(ID) is None


async def test_a_connection_that_breaks_leaves_it_open_what_became_of_the_order(
    account: IbkrAccount, server: IbkrLoopback
) -> None:
    server.orders.lose_acks()
    sending = asyncio.create_task(account.broker.submit(limit(), OPEN))
    await until(lambda: account.exchange.find(ID))
    server.drop()
    with pytest.raises(FeedLost):
        await sending
    await account.relink()
    await account.wait_for("OrderAccepted")


async def test_an_unknown_symbol_is_looked_up_first(
    account: IbkrAccount, server: IbkrLoopback
) -> None:
    server.market.know("XYZ")
    order = limit(symbol="XYZ")
    with pytest.raises(BrokerUnavailable, match="What XYZ is at IBKR is being looked up"):
        await account.broker.submit(order, OPEN)
    await until(lambda: not account.adapter.is_looking_up)
    await account.broker.submit(order, OPEN)
    assert server.orders.placed == 1


async def test_symbols_that_are_watched_are_known_in_time(
    account: IbkrAccount, server: IbkrLoopback
) -> None:
    server.market.know("XYZ")
    bars = tuple(make_bar(symbol, 1.0) for symbol in ("XYZ", "NONE"))
    seen = SliceClosed(end=OPEN, session=DAY, base=Timeframe.M1, bars=bars)
    assert not list(account.broker.observe(seen))
    await until(lambda: not account.adapter.is_looking_up)
    await account.broker.submit(limit(symbol="XYZ"), OPEN)


async def test_a_market_full_of_instruments_is_not_looked_up(server: IbkrLoopback) -> None:
    many = {f"S{n}": Instrument(f"S{n}") for n in range(101)}
    account = IbkrAccount(server, instruments=many)
    await account.start()
    assert server.counted()[9] == 0
    account.broker.observe(SliceOpened(OPEN, DAY, {"AAPL": 100.0, "NONE": 1.0}))
    await until(lambda: not account.adapter.is_looking_up)
    account.broker.observe(SliceOpened(OPEN, DAY, {"AAPL": 100.0, "NONE": 1.0}))
    assert not account.adapter.is_looking_up
    await account.broker.submit(limit(), OPEN)
    assert server.counted()[9] == 2
    await account.stop()


async def test_beyond_ibkrs_pace_nothing_is_queued(account: IbkrAccount) -> None:
    for _ in range(60):
        account.session.ib.client.reqCurrentTime()
    with pytest.raises(BrokerUnavailable, match="50 messages a second"):
        await account.broker.submit(limit(), OPEN)
    assert account.server.orders.placed == 0


async def test_a_late_acceptance_of_a_rejected_order_is_told(account: IbkrAccount) -> None:
    account.server.orders.reject()
    with pytest.raises(BrokerRejected):
        await account.broker.submit(limit(), OPEN)
    ticket = account.ticket()
    await account.broker.book()
    ticket.state, ticket.tag.status = "open", "Submitted"
    account.server.orders.tell(ticket)
    await account.wait_for("OrderAccepted")


async def test_an_unclear_message_decides_nothing_the_status_does(account: IbkrAccount) -> None:
    await account.broker.submit(limit(), OPEN)
    for caller in account.server.callers:
        caller.error(account.ticket().tag.order_id, 9_999, "Something odd")
        caller.error(12_345, 201, "Of nobody's order")
    account.exchange.end(account.ticket(), "canceled", "odd")
    await account.wait_for("OrderCanceled")


async def test_a_socket_that_is_gone_takes_nothing(
    account: IbkrAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise ConnectionError("Not connected")

    with monkeypatch.context() as patch:
        patch.setattr(account.session.ib.client, "send", gone)
        with pytest.raises(BrokerUnavailable, match="The Gateway is gone"):
            await account.broker.submit(limit(), OPEN)
    await account.broker.submit(limit(), OPEN)
    with monkeypatch.context() as patch:
        patch.setattr(account.session.ib.client, "send", gone)
        with pytest.raises(BrokerUnavailable):
            await account.broker.replace(limit(171), OPEN)
    assert len(account.exchange.find(ID)) == 1


# ------------------------------------------------------------------------------------- fills


async def test_fills_come_once_with_their_commission(account: IbkrAccount) -> None:
    account.exchange.fee = Decimal("0.35")
    account.server.duplicate()
    await account.broker.submit(limit(), OPEN)
    account.exchange.print("AAPL", 169.5, size=4)
    account.exchange.print("AAPL", 170)
    await account.wait_for("OrderFilled", "OrderFilled")
    first, second = (one.execution for one in account.of(OrderFilled))
    assert both(first.quantity, first.price, first.commission) == (
        4,
        Decimal("169.5"),
        Decimal("0.35"),
    )
    assert both(second.quantity, second.side, second.ledger) == (6, "buy", "external")
    assert first.client_order_id == ID
    assert first.at == account.exchange.fills[0].at.replace(microsecond=0)


async def test_news_out_of_order_are_understood(account: IbkrAccount) -> None:
    account.server.reorder()
    account.exchange.print("AAPL", 160)
    await account.broker.submit(limit(), OPEN)
    account.server.reorder(on=False)
    await account.broker.book()
    assert [one.execution.quantity for one in account.of(OrderFilled)] == [10]


async def test_a_fill_may_come_before_the_acceptance(account: IbkrAccount) -> None:
    account.exchange.print("AAPL", 160)
    account.server.orders.tells_orders = False
    (accepted,) = await account.broker.submit(make_order(), OPEN)
    assert isinstance(accepted, OrderAccepted)
    await account.wait_for("OrderFilled")


async def test_a_commission_that_comes_late_corrects_the_fill(account: IbkrAccount) -> None:
    orders, account.exchange.fee = account.server.orders, Decimal("0.35")
    orders.commissions_at_once = False
    await account.broker.submit(limit(), OPEN)
    account.exchange.print("AAPL", 170)
    await account.wait_for("OrderFilled")
    (fill,) = account.of(OrderFilled)
    assert fill.execution.commission == 0
    orders.send_commissions()
    await account.wait_for("OrderFilled", "ExecutionCorrected")
    (corrected,) = account.of(ExecutionCorrected)
    assert corrected.corrects == fill.execution.execution_id
    assert corrected.execution.execution_id == f"{corrected.corrects}:fee1"
    assert corrected.execution.commission == Decimal("0.35")


async def test_corrections_replace_and_busts_take_back(account: IbkrAccount) -> None:
    await account.broker.submit(limit(), OPEN)
    account.exchange.print("AAPL", 170)
    await account.wait_for("OrderFilled")
    (fill,) = account.exchange.fills
    account.server.orders.correct(fill, price=Decimal(169))
    account.server.orders.bust(fill)
    await account.wait_for("OrderFilled", "ExecutionCorrected", "ExecutionBusted")
    (corrected,), (busted,) = account.of(ExecutionCorrected), account.of(ExecutionBusted)
    assert corrected.corrects == "0000e0d5.00000001.01.01"
    assert both(corrected.execution.execution_id[-2:], corrected.execution.price) == ("02", 169)
    assert busted.execution_id == corrected.execution.execution_id


async def test_a_correction_of_the_night_is_told_after_a_restart(
    server: IbkrLoopback, library: Library
) -> None:
    first = IbkrAccount(server, library)
    await first.start()
    await first.broker.submit(limit(), OPEN)
    first.exchange.print("AAPL", 170)
    await first.wait_for("OrderFilled")
    await first.stop()
    server.orders.correct(server.orders.exchange.fills[0], price=Decimal(169))
    second = IbkrAccount(server, library)
    await second.start()
    told = [(one.corrects[-2:], one.execution.price) for one in second.of(ExecutionCorrected)]
    assert told[0] == ("01", Decimal(169))
    assert isinstance(second.told[-1], BrokerLink)
    await second.stop()


async def test_fills_during_disconnect(account: IbkrAccount, server: IbkrLoopback) -> None:
    """Lean.Brokerages.InteractiveBrokers#249: what was filled while nobody listened was lost."""
    account.exchange.fee = Decimal(1)
    await account.broker.submit(limit(), OPEN)
    await server.kill()
    await until(lambda: not account.is_up)
    account.exchange.print("AAPL", 169)
    await server.start()
    await account.relink()
    assert [type(one).__name__ for one in account.told[-2:]] == ["OrderFilled", "BrokerLink"]
    (fill,) = account.of(OrderFilled)
    assert both(fill.execution.quantity, fill.execution.commission) == (10, 1)
    found = await account.broker.find(ID)
    assert found is not None
    assert both(found.status, found.quantity, found.filled_quantity) == (OrderStatus.FILLED, 10, 10)


async def test_fills_alone_tell_of_an_order_that_no_list_has_any_more(
    account: IbkrAccount,
) -> None:
    await account.broker.submit(limit(), OPEN)
    account.exchange.print("AAPL", 170, size=4)
    account.exchange.tickets.clear()
    found = await account.broker.find(ID)
    assert found is not None
    assert found.status is OrderStatus.PARTIALLY_FILLED
    assert both(found.quantity, found.filled_quantity, found.average_price) == (10, 4, 170)
    assert found.broker_order_id == str(account.exchange.fills[0].ticket.number)


async def test_fills_while_ibkrs_servers_were_away_are_found_too(
    account: IbkrAccount, server: IbkrLoopback
) -> None:
    await account.broker.submit(limit(), OPEN)
    server.lose_servers()
    await until(lambda: not account.is_up)
    server.orders.keeps_news = False
    account.exchange.print("AAPL", 169)
    server.orders.keeps_news = True
    server.find_servers(data_lost=True)
    await account.relink()
    await account.wait_for("OrderFilled")


async def test_an_order_that_ended_meanwhile_is_told(
    account: IbkrAccount, server: IbkrLoopback
) -> None:
    for number in (1, 2, 3):
        await account.broker.submit(limit(client_order_id=f"1-{number}"), OPEN)
    server.orders.keeps_news = False
    account.exchange.end(account.ticket("1-1"), "canceled", "by a person")
    account.exchange.end(account.ticket("1-2"), "expired", "Order expired")
    account.exchange.end(account.ticket("1-3"), "rejected", "margin")
    server.orders.keeps_news = True
    server.drop()
    await account.relink()
    await account.wait_for("OrderCanceled", "OrderExpired", "OrderRejected")
    assert account.of(OrderCanceled)[0].reason == "by a person"


async def test_what_ended_long_ago_is_forgotten(account: IbkrAccount, server: IbkrLoopback) -> None:
    await account.broker.submit(limit(), OPEN)
    account.exchange.print("AAPL", 170)
    await account.wait_for("OrderFilled")
    later = account.clock.now() + timedelta(days=400)
    account.clock.now = lambda: later  # type: ignore[method-assign]
    server.orders.exchange.tickets.clear()
    server.orders.exchange.fills.clear()
    server.drop()
    await account.relink()
    assert await account.broker.find(ID) is None


async def test_what_was_for_the_day_expires(account: IbkrAccount) -> None:
    await account.broker.submit(limit(), OPEN)
    account.exchange.close()
    await account.wait_for("OrderExpired")
    assert account.of(OrderExpired)[0].client_order_id == ID


# ------------------------------------------------------------------------- identity of orders


async def test_next_valid_id_rollback(server: IbkrLoopback, library: Library) -> None:
    """Lean.Brokerages.InteractiveBrokers#242: ids of lost orders were given to new ones."""
    account = IbkrAccount(server, library)
    await account.start()
    await account.broker.submit(limit(client_order_id="1-kept"), OPEN)
    server.orders.swallow()
    with pytest.raises(TransientError):
        await account.broker.submit(limit(client_order_id="1-lost"), OPEN)
    kept = account.ticket("1-kept").tag.order_id
    await server.restart(next_order_id=1)
    await account.relink()
    await account.broker.submit(limit(client_order_id="1-new"), OPEN)
    assert account.ticket("1-new").tag.order_id > kept + 1
    account.exchange.print("AAPL", 170)
    await until(lambda: len(account.of(OrderFilled)) == 2)
    filled = {one.execution.client_order_id for one in account.of(OrderFilled)}
    assert filled == {"1-kept", "1-new"}
    assert await account.broker.find("1-lost") is None
    await account.stop()
    server.next_order_id = 1
    again = IbkrAccount(server, library)
    await again.start()
    await again.broker.submit(limit(1, client_order_id="1-after"), OPEN)
    assert again.ticket("1-after").tag.order_id > account.ticket("1-new").tag.order_id
    assert again.exchange.find("1-lost") == []
    await again.stop()


async def test_after_a_restart_orders_are_known_by_their_reference(
    server: IbkrLoopback, library: Library
) -> None:
    first = IbkrAccount(server, library)
    await first.start()
    await first.broker.submit(limit(), OPEN)
    await first.stop()
    second = IbkrAccount(server, library)
    await second.start()
    assert second.names() == []
    assert await second.broker.submit(limit(), OPEN) == ()
    (replaced,) = await second.broker.replace(limit(171), OPEN)
    assert isinstance(replaced, OrderReplaced)
    (canceled,) = await second.broker.cancel(ID, OPEN)
    assert isinstance(canceled, OrderCanceled)
    assert len(second.exchange.find(ID)) == 1
    await second.stop()


async def test_orders_of_others_are_seen_and_left_alone(
    account: IbkrAccount, server: IbkrLoopback
) -> None:
    resting = server.orders.by_hand("AAPL", "sell", 5, limit=Decimal(300))
    done = server.orders.by_hand("AAPL", "buy", 5)
    account.exchange.print("AAPL", 170)
    book = await account.broker.book()
    (seen,), (ended,), (fill,) = book.open_orders, book.closed_orders, book.executions
    assert (seen.client_order_id, seen.identity) == (None, f"external-{resting.number}")
    assert both(ended.identity, ended.quantity) == (f"external-{done.number}", 5)
    assert fill.client_order_id == ended.identity
    assert book.positions == {"AAPL": Decimal(5)}
    assert book.average_prices == {"AAPL": Decimal(170)}
    assert book.cash == 100_000 - 5 * 170
    with pytest.raises(BrokerRejected, match="made in TWS, by hand"):
        await account.broker.cancel(seen.identity, OPEN)
    assert account.names() == []


async def test_an_order_of_another_client_id_cannot_be_cancelled(
    account: IbkrAccount, server: IbkrLoopback
) -> None:
    await account.broker.submit(limit(), OPEN)
    account.ticket().tag.client_id = 7
    server.drop()
    await account.relink()
    with pytest.raises(BrokerRejected, match="made in the API client 7"):
        await account.broker.cancel(ID, OPEN)


async def test_a_second_order_with_our_reference_is_shown_as_foreign(
    account: IbkrAccount, server: IbkrLoopback
) -> None:
    await account.broker.submit(limit(), OPEN)
    double = server.orders.by_hand("AAPL", "buy", 10, limit=Decimal(170))
    double.reference = ID
    book = await account.broker.book()
    assert sorted(one.identity for one in book.open_orders) == [ID, f"external-{double.number}"]
    account.exchange.print("AAPL", 170)
    executions = (await account.broker.book()).executions
    assert sorted(one.client_order_id for one in executions) == [ID, f"external-{double.number}"]


# ---------------------------------------------------------------------------------- changing


async def test_a_change_keeps_the_order(account: IbkrAccount) -> None:
    await account.broker.submit(limit(), OPEN)
    account.exchange.print("AAPL", 170, size=4)
    (told,) = await account.broker.replace(limit(169, quantity=12), OPEN)
    assert isinstance(told, OrderReplaced)
    assert both(told.quantity, told.limit_price) == (12, 169)
    ticket = account.ticket()
    assert both(ticket.quantity, ticket.filled, ticket.limit) == (12, 4, 169)
    placed = account.server.orders.placed
    assert account.names() == ["OrderFilled"]  # told once: who asked has the answer
    (same,) = await account.broker.replace(limit(169, quantity=12), OPEN)
    assert (same, account.server.orders.placed) == (told, placed)


async def test_modify_during_disconnect(account: IbkrAccount, server: IbkrLoopback) -> None:
    """nautilus_trader#4564: a change that the Gateway takes for a new order doubles it."""
    await account.broker.submit(limit(), OPEN)
    server.orders.lose_acks()
    changing = asyncio.create_task(account.broker.replace(limit(171), OPEN))
    await until(lambda: account.ticket().limit == 171)
    server.drop()
    with pytest.raises(FeedLost):
        await changing
    with pytest.raises(BrokerUnavailable):
        await account.broker.replace(limit(172), OPEN)
    await account.relink()
    await account.wait_for("OrderReplaced")  # found when the orders were read again
    account.ticket().tag.client_id = 9  # the Gateway does not show it as ours any more
    server.drop()
    await account.relink()
    with pytest.raises((BrokerUnavailable, BrokerRejected)):
        await account.broker.replace(limit(173), OPEN)
    assert len(account.exchange.find(ID)) == 1


async def test_a_change_is_not_sent_to_a_gateway_that_has_forgotten_the_order(
    account: IbkrAccount, server: IbkrLoopback
) -> None:
    await account.broker.submit(limit(), OPEN)
    forgotten = account.ticket()
    server.orders.exchange.tickets.remove(forgotten)
    server.drop()
    await account.relink()
    with pytest.raises(BrokerUnavailable, match="has not shown the order since"):
        await account.broker.replace(limit(171), OPEN)
    assert server.orders.placed == 1


async def test_a_refused_change_leaves_the_order(account: IbkrAccount) -> None:
    await account.broker.submit(limit(), OPEN)
    account.server.orders.reject(110, "The price does not conform to the minimum price variation")
    with pytest.raises(BrokerRejected, match="minimum price variation"):
        await account.broker.replace(limit(171), OPEN)
    assert account.ticket().limit == 170
    account.exchange.print("AAPL", 170)
    await account.wait_for("OrderFilled")
    with pytest.raises(BrokerRejected, match="does not have the order any more"):
        await account.broker.replace(limit(172), OPEN)


async def test_a_refused_change_does_not_explain_a_later_end(account: IbkrAccount) -> None:
    await account.broker.submit(limit(), OPEN)
    account.server.orders.reject(201, "Order rejected - reason: of the change")
    with pytest.raises(BrokerRejected, match="of the change"):
        await account.broker.replace(limit(171), OPEN)
    ticket = account.ticket()
    ticket.state, ticket.tag.status = "canceled", "Cancelled"
    account.server.orders.tell(ticket)
    await account.wait_for("OrderCanceled")


async def test_a_change_that_comes_too_late_brings_the_fill(account: IbkrAccount) -> None:
    await account.broker.submit(limit(), OPEN)
    account.server.orders.keeps_news = False
    account.exchange.print("AAPL", 170)
    account.server.orders.keeps_news = True
    with pytest.raises(BrokerRejected, match="Can't modify a filled order"):
        await account.broker.replace(limit(171), OPEN)
    await account.wait_for("OrderFilled")


async def test_a_change_without_an_answer_is_unclear_and_told_later(account: IbkrAccount) -> None:
    await account.broker.submit(limit(), OPEN)
    account.server.orders.lose_acks()
    with pytest.raises(TransientError, match="said nothing to the replace"):
        await account.broker.replace(limit(171), OPEN)
    found = await account.broker.find(ID)
    assert found is not None
    assert found.limit_price == 171
    await account.wait_for("OrderReplaced")


# --------------------------------------------------------------------------------- cancelling


async def test_a_cancel_of_an_ended_order_says_how_it_ended(account: IbkrAccount) -> None:
    await account.broker.submit(limit(), OPEN)
    assert await account.broker.cancel(ID, OPEN) == await account.broker.cancel(ID, OPEN)


async def test_a_fill_that_waits_for_its_commission_is_told_before_the_end(
    account: IbkrAccount,
) -> None:
    account.server.orders.commissions_at_once = False
    await account.broker.submit(limit(), OPEN)
    account.exchange.print("AAPL", 170, size=4)
    (canceled,) = await account.broker.cancel(ID, OPEN)
    assert isinstance(canceled, OrderCanceled)
    assert account.names() == ["OrderFilled"]


async def test_an_end_is_not_learnt_before_the_fills_that_came_before_it(
    account: IbkrAccount,
) -> None:
    await account.broker.submit(limit(), OPEN)
    account.listens.clear()
    account.exchange.print("AAPL", 170, size=4)
    canceling = asyncio.create_task(account.broker.cancel(ID, OPEN))
    await until(lambda: not account.exchange.open())
    await account.session.probe()
    assert not canceling.done()
    account.listens.set()
    await canceling
    assert account.names() == ["OrderFilled"]


async def test_a_cancel_that_comes_too_late_brings_the_fill(account: IbkrAccount) -> None:
    await account.broker.submit(limit(), OPEN)
    account.server.orders.keeps_news = False
    account.exchange.print("AAPL", 170)
    account.server.orders.keeps_news = True
    with pytest.raises(BrokerRejected, match="can not be cancelled, state: Filled"):
        await account.broker.cancel(ID, OPEN)
    await account.wait_for("OrderFilled")
    with pytest.raises(BrokerRejected, match="has filled"):
        await account.broker.cancel(ID, OPEN)


async def test_a_cancel_of_what_never_arrived_is_refused(account: IbkrAccount) -> None:
    account.server.orders.swallow()
    with pytest.raises(TransientError):
        await account.broker.submit(limit(), OPEN)
    with pytest.raises(BrokerRejected, match="is not found"):
        await account.broker.cancel(ID, OPEN)


async def test_a_cancel_that_was_not_sent_hides_no_later_end(
    account: IbkrAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise ConnectionError("Not connected")

    await account.broker.submit(limit(), OPEN)
    with monkeypatch.context() as patch:
        patch.setattr(account.session.ib.client, "send", gone)
        with pytest.raises(BrokerUnavailable):
            await account.broker.cancel(ID, OPEN)
    account.exchange.end(account.ticket(), "canceled", "by a person")
    await account.wait_for("OrderCanceled")


async def test_a_cancel_without_an_answer_is_unclear(account: IbkrAccount) -> None:
    await account.broker.submit(limit(), OPEN)
    account.server.orders.keeps_news = False
    with pytest.raises(TransientError, match="said nothing to the cancel"):
        await account.broker.cancel(ID, OPEN)


async def test_the_global_cancel_ends_orders_of_others_too(server: IbkrLoopback) -> None:
    account, guardian = IbkrAccount(server), IbkrAccount(server)
    await account.start()
    await account.broker.submit(limit(), OPEN)
    server.orders.by_hand("AAPL", "sell", 5, limit=Decimal(300))
    await guardian.broker.cancel_all()
    await until(lambda: not server.orders.exchange.open())
    await account.wait_for("OrderCanceled")
    assert guardian.session.client_id not in (None, account.session.client_id)
    await guardian.broker.cancel_all()
    await guardian.broker.close()
    await account.stop()


async def test_the_guardian_trades_beside_the_engine_and_takes_nothing_away(
    account: IbkrAccount, server: IbkrLoopback
) -> None:
    guardian = IbkrAccount(server, is_guardian=True)
    await guardian.start()
    assert [account.session.client_id, guardian.session.client_id] == [1, 18]
    await account.broker.submit(limit(), OPEN)
    flat = make_order(client_order_id="1-guardian-1", side=Side.SELL)
    await guardian.broker.submit(flat, OPEN)
    server.orders.exchange.print("AAPL", 170)
    await guardian.wait_for("OrderFilled")
    fills = (await account.broker.book()).executions
    assert sorted(one.client_order_id for one in fills) == ["1-guardian-1", ID]
    assert account.is_up
    await guardian.stop()


# ------------------------------------------------------------------------------------- groups


async def test_orders_of_a_group_share_one_fill_at_the_broker(account: IbkrAccount) -> None:
    stop = make_order(
        client_order_id="1-sl", side=Side.SELL, leg=Leg.STOP_LOSS, group_id="d1-AAPL-1",
        type=OrderType.STOP, stop_price=160,
    )  # fmt: skip
    profit = limit(
        180, client_order_id="1-tp", side=Side.SELL, leg=Leg.TAKE_PROFIT, group_id="d1-AAPL-1"
    )
    for order in (stop, profit):
        await account.broker.submit(order, OPEN)
    first, second = account.ticket("1-sl"), account.ticket("1-tp")
    assert first.group == second.group
    assert first.tag.wish.oca_type == "2"
    account.exchange.print("AAPL", 180, size=4)
    await account.wait_for("OrderFilled", "OrderReplaced")
    assert both(account.of(OrderReplaced)[0].client_order_id, first.quantity) == ("1-sl", 6)
    account.exchange.print("AAPL", 180)
    await until(lambda: account.of(OrderCanceled))
    again = changed(stop, client_order_id="1-sl2")
    await account.broker.submit(again, OPEN)
    assert account.ticket("1-sl2").group not in (None, first.group)


# -------------------------------------------------------------------------------------- books


async def test_books_are_whole_or_an_error(account: IbkrAccount, server: IbkrLoopback) -> None:
    await account.broker.submit(limit(), OPEN)
    server.mute()
    with pytest.raises(TransientError, match="did not answer about"):
        await account.broker.book()
    asking = asyncio.create_task(account.broker.book())
    await until(lambda: server.orders)
    server.drop()
    with pytest.raises((FeedLost, TransientError, BrokerUnavailable)):
        await asking
    server.mute(on=False)


async def test_books_go_back_as_far_as_was_asked(account: IbkrAccount) -> None:
    await account.broker.submit(limit(), OPEN)
    account.exchange.print("AAPL", 170)
    await account.wait_for("OrderFilled")
    later = datetime.now(tz=account.exchange.fills[0].at.tzinfo) + timedelta(minutes=1)
    assert not (await account.broker.book(since=later)).executions
    assert (await account.broker.book(since=OPEN)).executions


async def test_a_message_that_nobody_understands_makes_a_new_start(
    account: IbkrAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    await account.broker.submit(limit(), OPEN)
    desk = account.adapter._desk
    usual = desk.on_execution
    monkeypatch.setattr(desk, "on_execution", lambda *_, **__: 1 / 0)
    account.exchange.print("AAPL", 170)
    await until(lambda: not account.is_up)
    monkeypatch.setattr(desk, "on_execution", usual)
    await account.relink()
    await account.wait_for("OrderFilled")


async def test_an_order_that_the_library_cannot_read_leaves_no_hole_in_the_books(
    account: IbkrAccount, server: IbkrLoopback
) -> None:
    await account.broker.submit(limit(), OPEN)
    wish = account.ticket().tag.wish
    account.ticket().tag.wish = replace(wish, outside_hours="neither")
    with pytest.raises((FeedLost, BrokerUnavailable)):
        await account.broker.book()
    await until(lambda: not account.is_up)
    account.ticket().tag.wish = wish
    await account.relink()
    assert len((await account.broker.book()).open_orders) == 1


async def test_what_is_no_stock_and_no_option_is_not_counted(
    account: IbkrAccount, server: IbkrLoopback
) -> None:
    future = server.orders.by_hand("AAPL", "buy", 1, limit=Decimal(300))
    contract = list(future.tag.wish.contract)
    contract[2] = "FUT"
    future.tag.wish = replace(future.tag.wish, contract=tuple(contract))
    account.exchange.print("AAPL", 300)
    book = await account.broker.book()
    assert (book.open_orders, book.executions) == ((), ())


async def test_orders_of_other_accounts_of_the_login_are_not_ours(
    account: IbkrAccount, server: IbkrLoopback
) -> None:
    for price in (300, 20):
        other = server.orders.by_hand("AAPL", "buy", 1, limit=Decimal(price))
        other.tag.wish = replace(other.tag.wish, account="DU7")
    account.exchange.print("AAPL", 300)
    book = await account.broker.book()
    assert (book.open_orders, book.closed_orders, book.executions) == ((), (), ())


async def test_money_to_spend_and_shares_to_borrow(
    account: IbkrAccount, server: IbkrLoopback
) -> None:
    server.account.values.update({"BuyingPower": "400000.00", "SettledCash": "90000.50"})
    funds = await account.adapter.funds(OPEN)
    assert both(funds.buying_power, funds.settled_cash) == (400_000, Decimal("90000.50"))
    server.market.lent = {"AAPL": 3.0, "SPY": 2.0}
    server.market.unsold.add("BRK B")
    wanted = ["AAPL", "SPY", "BRK.B", "NONE"]
    assert await account.adapter.lends(wanted) == {"AAPL": True, "SPY": False}
    assert server.market.subscribed() == set()


async def test_servers_that_come_back_unheard_of_going_are_a_reason_to_look(
    account: IbkrAccount, server: IbkrLoopback
) -> None:
    await account.broker.submit(limit(), OPEN)
    server.orders.keeps_news = False
    account.exchange.print("AAPL", 170)
    server.orders.keeps_news = True
    server.find_servers()
    await account.wait_for("OrderFilled")
