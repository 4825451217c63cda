"""Cases: every order type with every time in force is taken as asked, or refused for good."""

from contextlib import suppress
from typing import Any, Final

from app.certification.case import Cases, Work
from app.certification.desk import Desk, expect
from app.certification.venue import Act
from app.core.errors import BrokerRejected, BrokerUnavailable
from app.domain.events import OrderCanceled, OrderExpired, OrderRejected
from app.domain.orders import AT_ONCE, Order, OrderType, Side, TimeInForce

CASES: Final = Cases("orders")
FAR_TERMS: Final[dict[OrderType, dict[str, Any]]] = {
    OrderType.MARKET: {},
    OrderType.LIMIT: {"limit_price": 1},
    OrderType.STOP: {"stop_price": 9_000},
    OrderType.STOP_LIMIT: {"stop_price": 9_000, "limit_price": 9_010},
    OrderType.TRAILING_STOP: {"trail": 50, "stop_price": 9_000},
}
"Of purchases that nothing fills."
NEAR_TERMS: Final[dict[OrderType, dict[str, Any]]] = {
    OrderType.MARKET: {},
    OrderType.LIMIT: {"limit_price": 101},
    OrderType.STOP: {"stop_price": 101},
    OrderType.STOP_LIMIT: {"stop_price": 101, "limit_price": 105},
    OrderType.TRAILING_STOP: {"trail": 2, "stop_price": 102},
}
"Of purchases that prints of 99, 100 and 103 fill."
MUST: Final = frozenset({TimeInForce.DAY, TimeInForce.GTC})


def _taken_as_asked(type_: OrderType, life: TimeInForce) -> Work:
    async def work(desk: Desk) -> None:
        order = desk.order(type=type_, time_in_force=life, **FAR_TERMS[type_])
        abilities = desk.broker.abilities
        claimed = type_ in abilities.types and life in abilities.times_in_force
        no = await desk.refused(order)
        if no is not None:
            expect(not claimed or life not in MUST, f"It is claimed, and refused: {no}")
            expect(await desk.rests(order) is None, "It was refused, and rests all the same.")
            return
        expect(claimed, f"{type_} {life} is not claimed, and was taken.")
        await _rests_or_ended(desk, order)

    return work


async def _rests_or_ended(desk: Desk, order: Order) -> None:
    seen = await desk.rests(order)
    if seen is None:
        expect(order.time_in_force in AT_ONCE, f"{order.client_order_id} is not in the book.")
        await desk.canceled(order)
        return
    expect(seen.type is order.type, f"It is {seen.type} in the book.")
    expect(seen.time_in_force is order.time_in_force, f"It lives {seen.time_in_force} in the book.")
    expect(seen.limit_price == order.limit_price, f"Its limit is {seen.limit_price}.")
    expect(seen.trail == order.trail, f"Its trail is {seen.trail}.")
    if order.type is not OrderType.TRAILING_STOP:
        expect(seen.stop_price == order.stop_price, f"Its stop is {seen.stop_price}.")


def _fills(type_: OrderType, side: Side) -> Work:
    async def work(desk: Desk) -> None:
        terms = NEAR_TERMS[type_]
        if side is Side.SELL:  # the other way round, about 100
            terms = {k: v if k == "trail" else 200 - v for k, v in terms.items()}
        order = await desk.take(type=type_, side=side, **terms)
        for price in (99, 100, 103) if side is Side.BUY else (101, 100, 97):
            await desk.print(price)
        fills = await desk.filled(order)
        expect(all(one.side == side.value for one in fills), "A fill is of the other side.")
        expect(await desk.rests(order) is None, "It is filled, and rests all the same.")

    return work


for _type in OrderType:
    for _life in TimeInForce:
        CASES.add(
            f"a_{_type}_order_{_life}_is_taken_as_asked_or_refused_for_good",
            _taken_as_asked(_type, _life),
            *([Act.PRINT] if _type is OrderType.MARKET else []),  # elsewhere it would fill
        )
    for _side in Side:
        CASES.add(
            f"a_{_type}_order_to_{_side}_fills_when_the_market_gets_there",
            _fills(_type, _side),
            Act.PRINT,
        )


@CASES.case(Act.PRINT)
async def a_limit_order_fills_at_its_limit_or_better(desk: Desk) -> None:
    order = await desk.take(limit_price=100)
    await desk.print(101)
    expect(not desk.fills(order.client_order_id), "It was filled above its limit.")
    await desk.print(99.5)
    fills = await desk.filled(order)
    expect(all(one.price <= 100 for one in fills), "It was filled above its limit.")


@CASES.case(Act.PRINT)
async def an_order_at_once_that_finds_no_price_is_canceled(desk: Desk) -> None:
    order = desk.order(time_in_force=TimeInForce.IOC)
    if await desk.refused(order) is not None:
        return
    await desk.print(100)
    name = order.client_order_id
    await desk.until(
        lambda: desk.of(OrderCanceled, name) or desk.of(OrderExpired, name), "its end is told"
    )
    expect(await desk.rests(order) is None, "It rests all the same.")


@CASES.case(Act.PRINT, Act.END_SESSION)
async def a_day_order_expires_with_the_session(desk: Desk) -> None:
    order = await desk.take()
    await desk.act(Act.END_SESSION)
    name = order.client_order_id
    await desk.until(
        lambda: desk.of(OrderExpired, name) or desk.of(OrderCanceled, name), "its end is told"
    )
    expect(await desk.rests(order) is None, "It rests all the same.")


@CASES.case(Act.PRINT, Act.END_SESSION)
async def an_order_good_till_canceled_outlives_the_session(desk: Desk) -> None:
    order = await desk.take(time_in_force=TimeInForce.GTC)
    await desk.act(Act.END_SESSION)
    expect(await desk.rests(order) is not None, "It is gone.")


@CASES.case()
async def a_symbol_with_a_class_is_traded_under_our_name(desk: Desk) -> None:
    order = await desk.take(symbol=desk.venue.other_symbol)
    seen = await desk.rests(order)
    expect(seen is not None and seen.symbol == order.symbol, "It has another name in the book.")


@CASES.case(real=True)
async def an_unknown_symbol_is_refused_and_nothing_rests(desk: Desk) -> None:
    order = desk.order(symbol="ZZZZQQ")
    with suppress(BrokerRejected, BrokerUnavailable):
        await desk.submit(order)
        raise AssertionError("It was taken.")
    expect(await desk.rests(order) is None, "It rests.")


@CASES.case(real=True)
async def a_fraction_is_taken_exactly_or_refused(desk: Desk) -> None:
    order = desk.order(quantity=0.5, limit_price=3)
    no = await desk.refused(order)
    if desk.broker.abilities.is_fractional:
        expect(no is None, f"Fractions are claimed, and refused: {no}")
        seen = await desk.rests(order)
        expect(seen is not None and seen.quantity == order.quantity, "It is of another quantity.")
        return
    expect(no is not None, "Fractions are not claimed, and one was taken.")


@CASES.case(Act.NO_SHORTS)
async def a_short_sale_without_permission_is_refused(desk: Desk) -> None:
    await desk.act(Act.NO_SHORTS)
    no = await desk.refused(desk.order(side=Side.SELL, limit_price=200))
    expect(no is not None, "It was taken.")


@CASES.case(Act.REJECT)
async def a_refusal_says_why_and_leaves_nothing(desk: Desk) -> None:
    await desk.act(Act.REJECT)
    order = desk.order()
    no = await desk.refused(order)
    told = no.message if no is not None else ""
    if no is None:
        await desk.until(
            lambda: desk.of(OrderRejected, order.client_order_id), "the refusal is told"
        )
        told = desk.of(OrderRejected, order.client_order_id)[0].reason
    expect(len(told) > 10, f"The reason is no sentence: {told!r}")
    expect(await desk.rests(order) is None, "It rests.")


@CASES.case(Act.REJECT_LATER)
async def an_order_that_the_exchange_refuses_later_is_told(desk: Desk) -> None:
    order = await desk.take()
    await desk.act(Act.REJECT_LATER, identity=order.client_order_id)
    name = order.client_order_id
    await desk.until(
        lambda: desk.of(OrderRejected, name) or desk.of(OrderCanceled, name), "its end is told"
    )
    expect(await desk.rests(order) is None, "It rests.")
