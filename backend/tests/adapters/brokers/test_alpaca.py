"""Alpaca's broker against a server that speaks its protocol: orders, news, questions, faults."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import pytest

from app.adapters.brokers.alpaca import LIVE_HOST, PAPER_HOST, Adapter
from app.adapters.clients.alpaca import AlpacaOptions
from app.core.clock import now
from app.core.errors import (
    APIError,
    BrokerRejected,
    BrokerUnavailable,
    ConfigurationError,
    NotFound,
    TransientError,
)
from app.core.retry import RetryConfig
from app.core.tasks import end
from app.domain.deployments import AccountMode
from app.domain.events import (
    ChangeRejected,
    ExecutionBusted,
    ExecutionCorrected,
    OrderAccepted,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
)
from app.domain.orders import Order, OrderStatus, OrderType, Side, TimeInForce, foreign_id
from app.domain.ports import BrokerLink, BrokerSetup
from tests.trading import OPEN, make_order
from tests.vendors.alpaca import KEY, SECRET
from tests.vendors.alpaca_trading import AlpacaTrading
from tests.vendors.alpaca_venue_orders import VenueOrder
from tests.vendors.loopback import until

QUICK = RetryConfig(attempts=2, first_wait_seconds=0.01, jitter_seconds=0.01)
MINE = "1-manual-AAPL-c1-e1"
T = TypeVar("T")


@pytest.fixture
async def alpaca(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AlpacaTrading]:
    # the allowance of a key is shared by all that lives, and here so are the keys of all tests
    monkeypatch.setattr("app.adapters.clients.budget._shared", WeakValueDictionary())
    async with AlpacaTrading() as server:
        yield server


def options(server: AlpacaTrading, **more: Any) -> AlpacaOptions:
    return AlpacaOptions(api_key=KEY, secret_key=SECRET, base_url=server.http, **more)


def adapter(server: AlpacaTrading, **given: Any) -> Adapter:
    how: dict[str, Any] = {
        "retry": QUICK, "read_seconds": 0.5, "ping_seconds": 0.2, "first_pause_seconds": 0.01,
    }  # fmt: skip
    settings = given.pop("settings", {})
    setup = BrokerSetup(account_id=1, settings=settings)
    return Adapter(setup, options(server), **{**how, **given})


@dataclass
class Joined:
    """A broker whose reports are collected."""

    broker: Adapter
    heard: list[Any] = field(default_factory=list)

    async def listen(self) -> None:
        async for report in self.broker.reports():
            self.heard.append(report)

    def of(self, kind: type[T]) -> list[T]:
        return [report for report in self.heard if isinstance(report, kind)]

    def names(self) -> list[str]:
        return [type(report).__name__ for report in self.heard]

    @property
    def links(self) -> list[bool]:
        return [link.is_up for link in self.of(BrokerLink)]


@asynccontextmanager
async def joined(server: AlpacaTrading, **given: Any) -> AsyncIterator[Joined]:
    """An adapter that is connected and listens."""
    it = Joined(adapter(server, **given))
    listening = asyncio.create_task(it.listen())
    try:
        await until(lambda: it.links)
        yield it
    finally:
        await end([listening])
        await it.broker.close()


def limit(price: float = 100, quantity: float = 10, **given: Any) -> Order:
    return make_order(type=OrderType.LIMIT, limit_price=price, quantity=quantity, **given)


def the_order(server: AlpacaTrading) -> VenueOrder:
    (order,) = server.venue.orders.values()
    return order


async def closed(server: AlpacaTrading, broker: Adapter) -> list[Any]:
    return list((await broker.book()).closed_orders)


# ------------------------------------------------------------------------------- keys and modes


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
        assert (account.buying_power, account.daytrade_count) == (200_000, None)


# ------------------------------------------------------------------------------------- orders


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


def by_hand(server: AlpacaTrading, price: float = 100, **more: Any) -> VenueOrder:
    """An order that somebody placed on Alpaca's own page."""
    asked = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "limit", "time_in_force": "gtc",
             "limit_price": str(price), **more}  # fmt: skip
    return server.venue.place(asked)


# ----------------------------------------------------------------------------------- replace


async def test_a_replaced_order_is_another_at_alpaca_and_the_same_here(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(90), OPEN)
        assert not await it.broker.replace(limit(95, quantity=12), OPEN)
        await until(lambda: it.of(OrderReplaced))
        (told,) = it.of(OrderReplaced)
        _, second = alpaca.venue.orders.values()
        assert (told.client_order_id, told.broker_order_id) == (MINE, second.id)
        assert (told.quantity, told.limit_price) == (12, 95)
        assert second.client_order_id == f"{MINE}~1"
        await alpaca.print("AAPL", 94)
        await until(lambda: it.of(OrderFilled))
        (fill,) = [report.execution for report in it.of(OrderFilled)]
        assert (fill.client_order_id, fill.quantity) == (MINE, 12)
        found = await it.broker.find(MINE)
        assert found is not None
        assert (found.client_order_id, found.status, found.quantity) == (MINE, "filled", 12)
        book = await it.broker.book()
        assert [order.client_order_id for order in book.closed_orders] == [MINE]
        assert [e.client_order_id for e in book.executions] == [MINE]
        assert len(it.of(OrderAccepted)) == 2  # pending_new and new of the first form only


async def test_only_the_rest_of_a_partly_filled_order_is_replaced(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(100), OPEN)
        await alpaca.print("AAPL", 100, 4)
        await until(lambda: it.of(OrderFilled))
        await it.broker.replace(limit(101, quantity=8, filled_quantity=Decimal(4)), OPEN)
        await until(lambda: it.of(OrderReplaced))
        assert it.of(OrderReplaced)[0].quantity == 8
        await alpaca.print("AAPL", 101)
        await until(lambda: len(it.of(OrderFilled)) == 2)
        assert alpaca.venue.held("AAPL") == 8
        found = await it.broker.find(MINE)
        assert found is not None
        assert (found.filled_quantity, found.average_price) == (8, Decimal("100.5"))
        for impossible in (limit(102, quantity=8), limit(102, quantity=9.5)):
            with pytest.raises(BrokerRejected, match="only whole shares"):
                await it.broker.replace(impossible, OPEN)


async def test_fills_while_a_replace_is_under_way_are_of_the_order_and_counted(
    alpaca: AlpacaTrading,
) -> None:
    alpaca.venue.confirms_replaces = False
    async with joined(alpaca) as it:
        await it.broker.submit(limit(100), OPEN)
        await it.broker.replace(limit(100, quantity=6), OPEN)
        pending = (await it.broker.book()).open_orders
        assert [(o.client_order_id, o.quantity) for o in pending] == [(MINE, 10)]
        await alpaca.print("AAPL", 100, 3)
        alpaca.venue.settle()
        await alpaca.tell()
        await until(lambda: it.of(OrderReplaced))
        # Three were filled before the change took hold: Alpaca's new order is for six all the same.
        assert it.of(OrderReplaced)[0].quantity == 9
        await alpaca.print("AAPL", 100)
        await until(lambda: len(it.of(OrderFilled)) == 2)
        assert sum(report.execution.quantity for report in it.of(OrderFilled)) == 9


async def test_a_replace_that_a_full_fill_overtook_is_refused(alpaca: AlpacaTrading) -> None:
    alpaca.venue.confirms_replaces = False
    async with joined(alpaca) as it:
        await it.broker.submit(limit(100), OPEN)
        await it.broker.replace(limit(90), OPEN)
        await alpaca.print("AAPL", 99)
        alpaca.venue.settle()
        await alpaca.tell()
        await until(lambda: len(it.of(ChangeRejected)) == 2)
        assert {no.change for no in it.of(ChangeRejected)} == {"replace"}
        assert not it.of(OrderRejected)
        found = await it.broker.find(MINE)
        assert found is not None
        assert (found.status, found.filled_quantity) == (OrderStatus.FILLED, 10)


async def test_a_replace_that_alpaca_refuses_at_once_leaves_the_order(
    alpaca: AlpacaTrading,
) -> None:
    alpaca.venue.is_market_open = False
    async with joined(alpaca) as it:
        await it.broker.submit(limit(100), OPEN)
        with pytest.raises(BrokerRejected, match="cannot be changed"):
            await it.broker.replace(limit(90), OPEN)
        with pytest.raises(BrokerUnavailable, match="not known"):
            await it.broker.replace(limit(90, client_order_id="1-other"), OPEN)
        alpaca.venue.open_session()
        await alpaca.tell()
        await it.broker.replace(limit(90), OPEN)
        await until(lambda: it.of(OrderReplaced))
        assert len(it.of(OrderReplaced)) == 1


async def test_somebody_elses_change_of_our_order_is_told_and_can_be_cancelled(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(90), OPEN)
        new = alpaca.venue.replace(the_order(alpaca).id, {"qty": "7", "limit_price": "91"})
        await it.broker.cancel(MINE, OPEN)  # before the news of the change arrived
        await alpaca.tell()
        await until(lambda: it.of(OrderCanceled))
        assert it.of(OrderReplaced)[0].quantity == 7
        assert it.of(OrderCanceled)[0].client_order_id == MINE
        assert new.status == "canceled"


async def test_a_broker_that_knows_nothing_yet_finds_the_newest_form(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as first:
        await first.broker.submit(limit(100), OPEN)
        await alpaca.print("AAPL", 100, 2)
        await until(lambda: first.of(OrderFilled))
        await first.broker.replace(limit(95), OPEN)
        await until(lambda: first.of(OrderReplaced))
    async with joined(alpaca) as it:
        (resting,) = (await it.broker.book()).open_orders
        assert (resting.client_order_id, resting.quantity) == (MINE, 10)
        assert (resting.filled_quantity, resting.limit_price) == (2, 95)
        await it.broker.replace(limit(96), OPEN)
        await until(lambda: it.of(OrderReplaced))
    async with joined(alpaca) as it:
        await alpaca.print("AAPL", 96)
        await until(lambda: it.of(OrderFilled))
        assert {report.execution.client_order_id for report in it.of(OrderFilled)} == {MINE}
    assert [order.client_order_id for order in alpaca.venue.orders.values()] == [
        MINE, f"{MINE}~1", f"{MINE}~2"
    ]  # fmt: skip


# ----------------------------------------------------------------------------- orders of others


async def test_orders_and_fills_of_others_have_a_name_made_of_alpacas_id(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        order = by_hand(alpaca, client_order_id="0b5ff4f7-ee46-4e3b-9f58-4d3a9b0f9d7a")
        await alpaca.tell()
        name = foreign_id(order.id)
        (seen,) = (await it.broker.book()).open_orders
        assert (seen.client_order_id, seen.identity, seen.quantity) == (None, name, 10)
        await alpaca.print("AAPL", 100, 4)
        await until(lambda: it.of(OrderFilled))
        assert it.of(OrderFilled)[0].execution.client_order_id == name
        assert it.of(OrderFilled)[0].execution.ledger == "external"
        changed = alpaca.venue.replace(order.id, {"qty": "5"})
        await alpaca.tell()
        found = await it.broker.find(name)
        assert found is not None
        assert (found.identity, found.quantity, found.filled_quantity) == (name, 9, 4)
        assert not await it.broker.cancel(name, OPEN)
        assert changed.status == "canceled"
        assert await it.broker.find(foreign_id("9a3c2d5e-0000-4000-8000-000000000000")) is None


# ----------------------------------------------------------------------- how a submit goes wrong


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("fault", ["refuse", "cut", "hang"])
async def test_silence_and_5xx_say_nothing_about_the_order_and_it_is_never_sent_again(
    alpaca: AlpacaTrading, fault: str, taken: bool
) -> None:
    if fault == "refuse":
        alpaca.refuse(504, taken=taken)
    elif fault == "hang":
        alpaca.hang(taken=taken)
    else:
        alpaca.plan(is_taken=taken)
    async with joined(alpaca) as it:
        with pytest.raises(TransientError):
            await it.broker.submit(limit(), OPEN)
        found = await it.broker.find(MINE)
        assert (found is not None) is taken
    assert [asked.method for asked in alpaca.asked].count("POST") == 1


async def test_a_429_was_not_taken_and_the_allowance_is_respected(alpaca: AlpacaTrading) -> None:
    alpaca.refuse(429, Retry_After="60")
    async with joined(alpaca) as it:
        with pytest.raises(BrokerUnavailable, match="429"):
            await it.broker.submit(limit(), OPEN)
        with pytest.raises(BrokerUnavailable, match="next call fits in"):
            await it.broker.submit(limit(), OPEN)
        with pytest.raises(BrokerUnavailable, match="next call fits in"):
            await it.broker.cancel_all()
    assert [asked.method for asked in alpaca.asked].count("POST") == 1
    assert not alpaca.venue.orders


async def test_an_address_that_nobody_serves_got_nothing(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        await alpaca.kill()
        with pytest.raises(BrokerUnavailable, match="cannot be reached"):
            await it.broker._send("DELETE", "/v2/orders")
        await until(lambda: it.links == [True, False])
        with pytest.raises(BrokerUnavailable, match="not connected"):
            await it.broker.submit(limit(), OPEN)
        with pytest.raises(TransientError):
            await it.broker.find(MINE)
        with pytest.raises(BrokerUnavailable):
            await it.broker.cancel(MINE, OPEN)


async def test_an_expired_key_sends_nothing_and_says_which_variable(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        alpaca.key_is_valid = False
        with pytest.raises(BrokerUnavailable, match="Set ALPACA_API_KEY"):
            await it.broker.submit(limit(), OPEN)
        alpaca.expire_key()
        await until(lambda: it.links == [True, False])
        alpaca.key_is_valid = True
        await until(lambda: it.links == [True, False, True])


async def test_an_order_that_alpaca_has_already_is_adopted(alpaca: AlpacaTrading) -> None:
    alpaca.lose_ack()
    async with joined(alpaca) as it:
        with pytest.raises(TransientError):
            await it.broker.submit(limit(), OPEN)
        (accepted,) = await it.broker.submit(limit(), OPEN)
        assert isinstance(accepted, OrderAccepted)
        with pytest.raises(BrokerRejected, match="another order with the id"):
            await it.broker.submit(limit(quantity=11), OPEN)
        await it.broker.cancel(MINE, OPEN)
        reports = await it.broker.submit(limit(), OPEN)
        assert [type(report) for report in reports] == [OrderAccepted, OrderCanceled]
        the_order(alpaca).status = "rejected"
        (rejected,) = await it.broker.submit(limit(), OPEN)
        assert isinstance(rejected, OrderRejected)
    assert accepted.broker_order_id == the_order(alpaca).id


async def test_an_answer_that_cannot_be_read_may_have_been_a_yes(alpaca: AlpacaTrading) -> None:
    alpaca.plan(is_taken=True, answer=alpaca._ok(["what?"]))
    async with joined(alpaca) as it:
        with pytest.raises(TransientError, match="cannot be read"):
            await it.broker.submit(limit(), OPEN)
        assert await it.broker.find(MINE) is not None


async def test_not_found_is_alpacas_word_and_not_a_wrong_address(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        assert await it.broker.find(MINE) is None
        alpaca.refuse(404, method="GET")
        with pytest.raises(NotFound):
            await it.broker.find(MINE)
        alpaca.refuse(500, 5, method="GET")
        with pytest.raises(TransientError):
            await it.broker.find(MINE)


# ------------------------------------------------------------------------------------ the link


@pytest.mark.parametrize("fault", ["drop", "deafen", "garbage", "error"])
async def test_a_link_that_breaks_is_told_and_comes_back(alpaca: AlpacaTrading, fault: str) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        if fault == "garbage":
            await alpaca.garbage()
        elif fault == "error":
            said = {"action": "error", "data": {"error_message": "internal server error"}}
            await alpaca.answer(alpaca.listening[0], said)
        else:
            getattr(alpaca, fault)()
        await until(lambda: it.links == [True, False, True])


async def test_fills_during_a_disconnect_are_in_the_book_under_their_identities(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        await alpaca.print("AAPL", 99, 4)
        await until(lambda: it.of(OrderFilled))
        alpaca.drop()
        alpaca.venue.print("AAPL", 98, 5)
        alpaca.venue.take_news()  # told to nobody
        await until(lambda: it.links == [True, False, True])
        book = await it.broker.book(now() - timedelta(minutes=1))
        missed = {e.execution_id for e in book.executions}
        assert {f.execution.execution_id for f in it.of(OrderFilled)} < missed
        await alpaca.print("AAPL", 97)
        await until(lambda: len(it.of(OrderFilled)) == 2)
        assert it.of(OrderFilled)[1].execution.quantity == 1
        order = the_order(alpaca)
        every = missed | {f.execution.execution_id for f in it.of(OrderFilled)}
        assert every == {f"{order.id}:4", f"{order.id}:9", f"{order.id}:10"}


# --------------------------------------------------------------------- fills: identity, disorder


async def fill_in_parts(server: AlpacaTrading, sizes: Sequence[int] = (4, 3, 3)) -> None:
    for size in sizes:
        server.venue.print("AAPL", 99, size)
    await server.tell()


def identities(it: Joined) -> set[str]:
    return {report.execution.execution_id.split(":")[1] for report in it.of(OrderFilled)}


async def test_a_fill_that_the_stream_left_out_is_fetched_with_the_next_one(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        alpaca.venue.print("AAPL", 99, 4)
        alpaca.venue.take_news()
        await alpaca.print("AAPL", 99)
        await until(lambda: len(it.of(OrderFilled)) == 2)
        assert identities(it) == {"4", "10"}
        assert sum(report.execution.quantity for report in it.of(OrderFilled)) == 10


async def test_an_update_whose_numbers_run_ahead_is_not_believed(alpaca: AlpacaTrading) -> None:
    """An order's snapshot may hold more than the fill that it comes with."""
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        alpaca.venue.print("AAPL", 99, 4)
        alpaca.venue.print("AAPL", 98, 6)
        alpaca.venue.news[-2]["order"]["filled_qty"] = "10"
        await alpaca.tell()
        await until(lambda: len(it.of(OrderFilled)) >= 3)
        told = {f.execution.execution_id: f.execution for f in it.of(OrderFilled)}
        assert sorted(e.quantity for e in told.values()) == [4, 6]


async def test_updates_that_come_twice_and_in_disorder_have_the_same_identities(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        alpaca.duplicate()
        alpaca.reorder()
        await fill_in_parts(alpaca, (2, 3, 4, 1))
        await until(lambda: identities(it) == {"2", "5", "9", "10"})
        each = {f.execution.execution_id: f.execution.quantity for f in it.of(OrderFilled)}
        assert sum(each.values()) == 10


async def test_activities_that_lag_behind_leave_a_doubtful_fill_to_the_book(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        late: list[Any] = []
        await fill_in_parts(alpaca, ())
        alpaca.venue.print("AAPL", 99, 4)
        alpaca.venue.take_news()
        alpaca.venue.print("AAPL", 99, 6)
        late, alpaca.venue.activities[:] = list(alpaca.venue.activities), []
        await alpaca.tell()
        await until(lambda: any("/activities/" in a.path for a in alpaca.asked))
        alpaca.venue.activities += late
        book = await it.broker.book()
        assert [e.quantity for e in book.executions] == [4, 6]
        assert not it.of(OrderFilled)


async def test_many_fills_are_read_page_by_page(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(quantity=250), OPEN)
        for _ in range(250):
            alpaca.venue.print("AAPL", 99, 1)
        alpaca.venue.take_news()
        book = await it.broker.book()
    assert len({e.execution_id for e in book.executions}) == 250


async def test_many_orders_are_read_page_by_page(alpaca: AlpacaTrading) -> None:
    for _ in range(1_100):
        by_hand(alpaca, price=10)
    alpaca.venue.take_news()
    async with joined(alpaca) as it:
        assert len((await it.broker.book()).open_orders) == 1_100


async def test_a_book_in_which_fills_never_end_is_not_given_in_part(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(quantity=900), OPEN)
        account = alpaca._account

        def busy() -> dict[str, Any]:
            alpaca.venue.print("AAPL", 99, 1)
            return account()

        alpaca._account = busy  # type: ignore[method-assign]
        with pytest.raises(BrokerUnavailable, match="faster"):
            await it.broker.book()


async def test_short_positions_are_negative(alpaca: AlpacaTrading) -> None:
    alpaca.venue.hold("MSFT", -7, 400)
    async with joined(alpaca) as it:
        assert (await it.broker.book()).positions == {"MSFT": -7}
        asset = await it.broker.asset("MSFT")
        assert (asset.shortable, asset.easy_to_borrow, asset.fractionable) == (True, True, True)
        with pytest.raises(NotFound):
            await it.broker.asset("ZZZZ")


# --------------------------------------------------------------------------- busts, corrections


async def test_a_bust_names_the_fill_as_we_know_it(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        await fill_in_parts(alpaca)
        await until(lambda: len(it.of(OrderFilled)) == 3)
        alpaca.venue.bust(alpaca.venue.fills[1].execution_id)
        await alpaca.tell()
        await until(lambda: it.of(ExecutionBusted))
        order = the_order(alpaca)
        (bust,) = it.of(ExecutionBusted)
        assert (bust.execution_id, bust.client_order_id) == (f"{order.id}:7", MINE)
        assert (bust.broker, bust.reason) == ("alpaca", "TRADE_BUST")
        assert it.of(OrderCanceled)[0].reason.startswith("Alpaca does not fill")
        (over,) = await closed(alpaca, it.broker)
        assert (over.status, over.filled_quantity) == (OrderStatus.CANCELED, 7)


async def test_an_order_goes_on_after_a_bust(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        await fill_in_parts(alpaca, (4,))
        await until(lambda: it.of(OrderFilled))
        alpaca.venue.bust(alpaca.venue.fills[0].execution_id)
        await alpaca.print("AAPL", 99)
        await until(lambda: len(it.of(OrderFilled)) == 2)
        assert not it.of(OrderCanceled)
        assert it.of(OrderFilled)[1].execution.quantity == 10


async def test_a_correction_stands_in_the_place_of_the_fill(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        await fill_in_parts(alpaca)
        await until(lambda: len(it.of(OrderFilled)) == 3)
        second = alpaca.venue.correct(alpaca.venue.fills[0].execution_id, 98.5)
        alpaca.venue.correct(second, 98, 3)
        await alpaca.tell()
        await until(lambda: len(it.of(ExecutionCorrected)) == 2)
        order, (first, again) = the_order(alpaca), it.of(ExecutionCorrected)
        assert (first.corrects, first.execution.price) == (f"{order.id}:4", Decimal("98.5"))
        assert again.corrects == first.execution.execution_id
        assert (again.execution.quantity, again.execution.price) == (3, 98)
        assert again.execution.client_order_id == MINE


async def test_after_a_restart_a_bust_is_understood_by_quantity_and_price(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        await fill_in_parts(alpaca)
    async with joined(alpaca) as it:
        for fill in alpaca.venue.fills[1:]:  # both of three shares at 99: either may be meant
            alpaca.venue.bust(fill.execution_id)
        await alpaca.tell()
        await until(lambda: len(it.of(ExecutionBusted)) == 2)
        found = {bust.execution_id.split(":")[1] for bust in it.of(ExecutionBusted)}
        assert found == {"7", "10"}
        alpaca.venue.correct(alpaca.venue.fills[0].execution_id, 97)
        await alpaca.tell()
        await until(lambda: it.of(ExecutionCorrected))
        assert it.of(ExecutionCorrected)[0].corrects.endswith(":4")


async def test_a_bust_of_a_fill_that_nobody_can_name_is_left_to_the_comparison_of_positions(
    alpaca: AlpacaTrading,
) -> None:
    async with joined(alpaca) as it:
        await it.broker.submit(limit(), OPEN)
        await fill_in_parts(alpaca)
        alpaca.venue.activities.clear()
        for update in ("trade_bust", "trade_correct"):
            unheard = "8efc7b9a-8b2b-4000-9955-d36e7db0df74"
            terms = {"qty": "2", "price": "9", "previous_execution_id": unheard}
            alpaca.venue.push(the_order(alpaca).id, update, "filled", **terms)
        alpaca.venue.push(the_order(alpaca).id, "pending_cancel")
        alpaca.venue.push(the_order(alpaca).id, "expired")
        await alpaca.tell()
        await until(lambda: it.of(OrderExpired))
        assert not it.of(ExecutionBusted)
        assert not it.of(ExecutionCorrected)


# ---------------------------------------------------------------------------- the life of an order


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
