"""Alpaca's broker against a server that speaks its protocol: keys, orders, their life."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from app.adapters.brokers.alpaca import LIVE_HOST, PAPER_HOST, Adapter
from app.adapters.clients.alpaca import AlpacaOptions
from app.core.clock import now
from app.core.errors import (
    APIError,
    BrokerRejected,
    BrokerUnavailable,
    ConfigurationError,
)
from app.domain.deployments import AccountMode
from app.domain.events import (
    ChangeRejected,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
)
from app.domain.orders import Order, OrderStatus, OrderType, Side, TimeInForce
from app.domain.ports import BrokerLink, BrokerSetup
from tests.adapters.brokers.alpaca_desk import MINE, adapter, by_hand, joined, limit, the_order
from tests.trading import OPEN, make_order
from tests.vendors.alpaca import KEY, SECRET
from tests.vendors.alpaca_trading import AlpacaTrading
from tests.vendors.loopback import until


def test_missing_keys_are_named_with_the_place_to_get_them() -> None:
    with pytest.raises(ConfigurationError, match=r"ALPACA_API_KEY.*https://app.alpaca.markets"):
        Adapter(BrokerSetup(account_id=1), AlpacaOptions())


@pytest.mark.parametrize(
    ("mode", "host"), [(AccountMode.PAPER, LIVE_HOST), (AccountMode.LIVE, PAPER_HOST)]
)
def test_the_mode_and_the_address_must_agree(mode: AccountMode, host: str) -> None:
    given = AlpacaOptions(api_key=KEY, secret_key=SECRET, base_url=f"https://{host}")
    with pytest.raises(ConfigurationError, match="Set ALPACA_BASE_URL=https://"):
        Adapter(BrokerSetup(account_id=1, mode=mode), given)


async def test_a_wrong_key_is_told_by_the_link_and_tried_again(alpaca: AlpacaTrading) -> None:
    alpaca.key_is_valid = False
    async with joined(alpaca) as it:
        (link,) = it.of(BrokerLink)
        assert not link.is_up
        assert "Set ALPACA_API_KEY" in link.reason
        await until(lambda: alpaca.accepted > 2)
        assert it.links == [False]
        with pytest.raises(BrokerUnavailable, match="not connected"):
            await it.broker.submit(limit(), OPEN)
        alpaca.key_is_valid = True
        await until(lambda: it.links == [False, True])


async def test_an_account_that_may_not_trade_says_why(alpaca: AlpacaTrading) -> None:
    alpaca.venue.account.update(trading_blocked=True, shorting_enabled=False)
    async with joined(alpaca) as it:
        assert "blocked trading" in it.of(BrokerLink)[0].reason
        assert not it.broker.abilities.can_short
        with pytest.raises(BrokerRejected, match="trading is blocked"):
            await it.broker.submit(limit(), OPEN)
        account = await it.broker.account()
        assert (account.multiplier, account.daytrade_count) == (2, None)
        funds = await it.broker.funds(OPEN)
        assert (funds.buying_power, funds.settled_cash, funds.at) == (200_000, None, OPEN)


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ({"account_blocked": True}, "ask its support"),
        ({"trade_suspended_by_user": True}, "suspended in the account's configuration"),
        ({"status": "ACCOUNT_UPDATED"}, "ACCOUNT_UPDATED, not ACTIVE"),
    ],
)
async def test_whatever_hinders_trading_is_said(
    alpaca: AlpacaTrading, flag: dict[str, Any], said: str
) -> None:
    alpaca.venue.account.update(flag)
    async with joined(alpaca) as it:
        assert said in it.of(BrokerLink)[0].reason


async def test_only_what_is_easy_to_borrow_is_lent(alpaca: AlpacaTrading) -> None:
    alpaca.venue.know("HARD", easy_to_borrow=False)
    broker = adapter(alpaca)
    assert await broker.lends(["AAPL", "HARD", "ZZZZ"]) == {
        "AAPL": True, "HARD": False, "ZZZZ": False
    }  # fmt: skip
    assert not list(broker.observe(None))
    await broker.close()


async def test_a_stop_that_trails_in_per_cent_trails_so_far_in_money(
    alpaca: AlpacaTrading,
) -> None:
    """Ours trail in money; one that a person made at Alpaca may not."""
    async with joined(alpaca) as it:
        order = by_hand(alpaca, 0, type="trailing_stop", limit_price=None, trail_price="2")
        (fresh,) = (await it.broker.book()).open_orders
        assert (fresh.type, fresh.trail) == ("trailing_stop", 2)
        order.trail_price, order.hwm, order.stop_price = None, Decimal(100), Decimal(103)
        assert (await it.broker.book()).open_orders[0].trail == 3
        order.hwm = None
        assert (await it.broker.book()).open_orders[0].trail is None


async def test_a_trailing_stop_is_changed_by_its_distance(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        order = make_order(type=OrderType.TRAILING_STOP, stop_price=95, trail=Decimal(2))
        await it.broker.submit(order, OPEN)
        changed = make_order(type=OrderType.TRAILING_STOP, stop_price=95, trail=Decimal(4))
        await it.broker.replace(changed, OPEN)
        await until(lambda: it.of(OrderReplaced))
        assert it.of(OrderReplaced)[0].trail == 4


@pytest.mark.parametrize("symbol", ["", None])
async def test_an_order_of_several_legs_is_left_to_the_comparison_of_positions(
    alpaca: AlpacaTrading, symbol: Any
) -> None:
    async with joined(alpaca) as it:
        order = by_hand(alpaca)
        order.symbol = symbol
        alpaca.venue.push(order.id, "new")
        alpaca.venue.take_news()
        alpaca.venue.push(order.id, "new")
        await alpaca.tell()
        assert not (await it.broker.book()).open_orders
        assert it.names() == ["BrokerLink"]


async def test_an_order_is_accepted_filled_in_parts_and_in_the_book(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        reports = await it.broker.submit(limit(), OPEN)
        order = the_order(alpaca)
        assert reports == (OrderAccepted(client_order_id=MINE, broker_order_id=order.id, at=OPEN),)
        await alpaca.print("AAPL", 99.5, 4)
        await alpaca.print("AAPL", 99)
        await until(lambda: len(it.of(OrderFilled)) == 2)
        fills = [report.execution for report in it.of(OrderFilled)]
        assert [(f.quantity, f.price, f.side) for f in fills] == [
            (4, Decimal("99.5"), "buy"), (6, 99, "buy")
        ]  # fmt: skip
        assert [f.execution_id for f in fills] == [f"{order.id}:4", f"{order.id}:10"]
        book = await it.broker.book(now() - timedelta(hours=1))
        assert [f.execution_id for f in book.executions] == [f.execution_id for f in fills]
        assert (book.positions, book.cash) == ({"AAPL": 10}, Decimal(99_008))
        assert book.average_prices == {"AAPL": Decimal("99.2")}
        assert not book.open_orders
        (over,) = book.closed_orders
        assert (over.client_order_id, over.status, over.filled_quantity) == (MINE, "filled", 10)
        assert over.average_price == Decimal("99.2")


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (make_order(time_in_force=TimeInForce.IOC), {"type": "market", "time_in_force": "ioc"}),
        (limit(99.5, side=Side.SELL), {"type": "limit", "limit_price": Decimal("99.5")}),
        (
            make_order(type=OrderType.STOP, stop_price=95, time_in_force=TimeInForce.GTC),
            {"type": "stop", "stop_price": 95, "time_in_force": "gtc"},
        ),
        (
            make_order(type=OrderType.STOP_LIMIT, stop_price=95, limit_price=94),
            {"type": "stop_limit", "stop_price": 95, "limit_price": 94},
        ),
        (
            make_order(type=OrderType.TRAILING_STOP, stop_price=95, trail=Decimal("2.5")),
            {"type": "trailing_stop", "trail_price": Decimal("2.5"), "stop_price": None},
        ),
        (make_order(quantity=1.5), {"qty": Decimal("1.5")}),
    ],
)
async def test_every_kind_of_order_is_asked_for_in_alpacas_words(
    alpaca: AlpacaTrading, order: Order, expected: dict[str, Any]
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(order, OPEN)
    placed = the_order(alpaca)
    assert {name: getattr(placed, name) for name in expected} == expected
    assert (placed.client_order_id, placed.side) == (MINE, order.side.value)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (make_order(quantity=1.5, time_in_force=TimeInForce.GTC), "fractions"),
        (
            make_order(type=OrderType.STOP, stop_price=1, time_in_force=TimeInForce.FOK),
            "day or gtc",
        ),
        (make_order(type=OrderType.TRAILING_STOP), "distance"),
        (make_order(type=OrderType.TRAILING_STOP, trail=Decimal(1), quantity=1.5), "whole shares"),
        (make_order(client_order_id="1-" + "x" * 123), "longer than 124"),
    ],
)
async def test_what_alpaca_documents_that_it_refuses_is_not_sent(
    alpaca: AlpacaTrading, order: Order, said: str
) -> None:
    broker = adapter(alpaca)
    with pytest.raises(BrokerRejected, match=said):
        await broker.submit(order, OPEN)
    await broker.close()
    assert not alpaca.asked


async def test_extended_hours_are_asked_for_by_day_limit_orders_only(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca, settings={"extended_hours": True, "feed": "alpaca"}) as it:
        await it.broker.submit(limit(), OPEN)
        await it.broker.submit(make_order(client_order_id="1-b"), OPEN)
    asked = [order.extended_hours for order in alpaca.venue.orders.values()]
    assert asked == [True, False]


async def test_alpacas_no_is_a_rejection_with_its_reason(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        with pytest.raises(BrokerRejected, match="insufficient buying power"):
            await it.broker.submit(limit(quantity=9_999), OPEN)
        with pytest.raises(BrokerRejected, match="not found"):
            await it.broker.submit(limit(symbol="ZZZZ"), OPEN)
    assert not alpaca.venue.orders


async def test_two_closing_orders_are_not_linked_but_refused(alpaca: AlpacaTrading) -> None:
    """Why `links_orders` is no: a stop and a target cannot rest here side by side."""
    alpaca.venue.hold("AAPL", 10, 100)
    async with joined(alpaca) as it:
        assert not it.broker.abilities.links_orders
        await it.broker.submit(limit(110, side=Side.SELL, group_id="g"), OPEN)
        stop = make_order(
            client_order_id="1-stop", type=OrderType.STOP, stop_price=95, side=Side.SELL,
            group_id="g",
        )  # fmt: skip
        with pytest.raises(BrokerRejected, match=r"insufficient qty available.*available: 0"):
            await it.broker.submit(stop, OPEN)


async def test_a_cancel_is_done_when_the_stream_says_so(alpaca: AlpacaTrading) -> None:
    alpaca.venue.confirms_cancels = False
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        assert not await it.broker.cancel(MINE, OPEN)
        assert not await it.broker.cancel(MINE, OPEN)  # pending: asked for already
        assert not it.of(OrderCanceled)
        alpaca.venue.settle()
        await alpaca.tell()
        await until(lambda: it.of(OrderCanceled))
        with pytest.raises(BrokerRejected, match="already"):
            await it.broker.cancel(MINE, OPEN)
        assert not await it.broker.cancel("1-nobody", OPEN)


async def test_a_cancel_that_came_too_late_changes_nothing(alpaca: AlpacaTrading) -> None:
    alpaca.venue.confirms_cancels = False
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        await it.broker.cancel(MINE, OPEN)
        await alpaca.print("AAPL", 99)
        alpaca.venue.settle()
        await alpaca.tell()
        await until(lambda: it.of(ChangeRejected))
        (no,) = it.of(ChangeRejected)
        assert (no.client_order_id, no.change, no.reason) == (MINE, "cancel", "TOO_LATE_TO_CANCEL")


async def test_all_orders_are_cancelled_whoever_made_them(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(90), OPEN)
        by_hand(alpaca, price=91)
        await it.broker.cancel_all()
        await until(lambda: len(it.of(OrderCanceled)) == 2)
        alpaca.venue.confirms_cancels = False
        by_hand(alpaca, price=92)
        await it.broker.cancel_all()
        with pytest.raises(APIError, match="did not cancel"):
            await it.broker.cancel_all()


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("accepted_for_bidding", OrderAccepted), ("rejected", OrderRejected),
        ("canceled", OrderCanceled), ("expired", OrderExpired), ("done_for_day", OrderExpired),
        ("calculated", OrderExpired), ("order_cancel_rejected", ChangeRejected),
        ("order_replace_rejected", ChangeRejected), ("restated", OrderReplaced),
    ],
)  # fmt: skip
async def test_every_event_of_the_life_cycle_has_a_meaning(
    alpaca: AlpacaTrading, event: str, expected: type[Any]
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        await until(lambda: len(it.of(OrderAccepted)) == 2)
        before = len(it.heard)
        kept = "new" if event.startswith(("order_", "restated")) else None
        alpaca.venue.push(the_order(alpaca).id, event, kept)
        await alpaca.tell()
        await until(lambda: len(it.heard) > before)
        (report,) = it.heard[before:]
        assert isinstance(report, expected)
        assert report.client_order_id == MINE


STATUSES = {
    "new": "accepted", "accepted": "accepted", "pending_new": "accepted",
    "accepted_for_bidding": "accepted", "held": "accepted", "stopped": "accepted",
    "suspended": "accepted", "pending_cancel": "accepted", "pending_replace": "accepted",
    "pending_review": "accepted", "filled": "canceled", "canceled": "canceled",
    "expired": "expired", "rejected": "rejected", "done_for_day": "expired",
    "calculated": "expired", "a word of tomorrow": "accepted",
}  # fmt: skip


@pytest.mark.parametrize(("theirs", "ours"), STATUSES.items())
async def test_every_status_has_a_meaning(alpaca: AlpacaTrading, theirs: str, ours: str) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        the_order(alpaca).status = theirs
        found = await it.broker.find(MINE)
        assert found is not None
        assert found.status == ours


async def test_what_is_over_for_today_goes_on_tomorrow_until_it_is_cancelled(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(time_in_force=TimeInForce.GTC), OPEN)
        await until(lambda: len(it.of(OrderAccepted)) == 2)
        for event in ("done_for_day", "stopped", "something new"):
            alpaca.venue.push(the_order(alpaca).id, event, "done_for_day")
        await alpaca.print("AAPL", 99)
        await until(lambda: it.of(OrderFilled))
        assert it.names() == ["BrokerLink", *["OrderAccepted"] * 3, "OrderFilled"]
        alpaca.venue.push(the_order(alpaca).id, "calculated")
        found = await it.broker.find(MINE)
        assert found is not None
        assert found.status is OrderStatus.FILLED
