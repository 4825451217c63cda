"""Lost answers, refusals at the door, broken links: what the adapter may claim to know."""

from datetime import timedelta

import pytest

from app.core.clock import now
from app.core.errors import (
    BrokerRejected,
    BrokerUnavailable,
    NotFound,
    TransientError,
)
from app.domain.events import (
    OrderAccepted,
    OrderCanceled,
    OrderFilled,
    OrderRejected,
)
from app.domain.ports import BrokerLink
from tests.adapters.brokers.alpaca_desk import MINE, by_hand, joined, limit, the_order
from tests.trading import OPEN
from tests.vendors.alpaca_trading import AlpacaTrading
from tests.vendors.loopback import reply, until


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


@pytest.mark.parametrize("refused", ["the socket", "the key", "listening", "the codec"])
async def test_a_stream_that_refuses_says_why_and_is_tried_again(
    alpaca: AlpacaTrading, refused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if refused == "the socket":
        alpaca.plan(2, method="GET", prefix="/stream", answer=reply({}, 500))
    elif refused == "the key":
        alpaca.plan(1, method="GET", prefix="/stream", answer=reply({}, 403))
    elif refused == "listening":
        monkeypatch.setattr(alpaca, "offers", False)
    else:
        monkeypatch.setattr(alpaca, "greeting", b"\xff\xfe")
    async with joined(alpaca) as it:
        (first, *_) = it.of(BrokerLink)
        said = {
            "the socket": "answered 500", "the key": "Set ALPACA_API_KEY",
            "listening": "does not offer", "the codec": "cannot be read",
        }[refused]  # fmt: skip
        assert not first.is_up
        assert said in first.reason
        monkeypatch.undo()
        await until(lambda: it.links[-1])


async def test_a_stream_that_is_closed_in_order_is_opened_again(alpaca: AlpacaTrading) -> None:
    async with joined(alpaca) as it:
        await alpaca.listening[0].connection.close()
        await until(lambda: it.links == [True, False, True])
        assert "closed the stream" in it.of(BrokerLink)[1].reason


async def test_orders_that_could_not_be_listed_to_the_end_are_no_book(
    alpaca: AlpacaTrading,
) -> None:
    alpaca.venue.clock = lambda: OPEN
    for _ in range(501):
        by_hand(alpaca, price=10)
    async with joined(alpaca) as it:
        with pytest.raises(BrokerUnavailable, match="does not end"):
            await it.broker.book()
