"""Why nothing was traded, from a journal written by hand: states, gaps, late bars, outcomes."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import orjson
import pytest

from app.domain.users import SCOPES, Caller, Role
from app.services.explanations import Explanations
from tests.factories import utc

AT = utc("2024-03-01 15:05")
ANN = Caller(
    user_id=1,
    email="ann@example.com",
    name="Ann",
    role=Role.ADMIN,
    scopes=SCOPES[Role.ADMIN],
    via="session",
    credential="s",
)


class Story:
    """One account whose deployment 1 trades SPY by five minutes, and a journal by hand."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool, self.seq = pool, 0

    async def begin(self) -> None:
        await self.pool.execute(
            "INSERT INTO accounts (name, dataset, starting_cash, cash)"
            " VALUES ('a', 'simulated', 1, 1)"
        )
        await self.pool.execute("INSERT INTO journal_streams (stream) VALUES ('account:1')")
        await self.pool.execute(
            "WITH s AS (INSERT INTO strategies (name) VALUES ('slow') RETURNING id)"
            " INSERT INTO deployments (account_id, strategy_id, parameters, symbols, timeframe)"
            " SELECT 1, id, '{}', '{SPY}', '5m' FROM s"
        )

    async def tell(self, kind: str, at: datetime, /, **data: Any) -> None:
        """One event more."""
        self.seq += 1
        await self.pool.execute(
            "INSERT INTO trading_events (stream, seq, event_type, occurred_at, payload, hash)"
            " VALUES ('account:1', $1, $2, $3, $4::json, decode(repeat('00', 32), 'hex'))",
            self.seq,
            kind,
            at,
            orjson.dumps({"type": kind, **data}).decode(),
        )
        await self.pool.execute("UPDATE journal_streams SET seq = $1", self.seq)

    async def slice(self, at: datetime, *timeframes: str, **more: Any) -> None:
        """Bars of SPY that ended at `at`."""
        bars = [
            {
                "symbol": "SPY", "timeframe": one, "start": at - timedelta(minutes=1), "end": at,
                "open": 1.0, "high": 2.0, "low": 1.0, "close": 2.0, "volume": 5.0,
            }
            for one in timeframes
        ]  # fmt: skip
        session = at.date().isoformat()
        await self.tell("slice_closed", at, end=at, session=session, base="1m", bars=bars, **more)

    async def signal(self, exposure: float, outcome: str | None, **more: Any) -> None:
        await self.pool.execute(
            "INSERT INTO signals (account_id, signal_id, ledger, instrument_id, signal_type,"
            " exposure, price, at, outcome, quantity) SELECT 1, 'd1-SPY-1', 'd1', id, $1, $2, 2,"
            " $3, $4, $5 FROM instruments WHERE symbol = 'SPY'",
            "long" if exposure else "flat",
            exposure,
            AT,
            outcome,
            more.get("quantity"),
        )

    async def answer(self, at: datetime = AT, symbol: str = "SPY") -> str:
        found = await Explanations(self.pool).explain(ANN, symbol, at, 1)
        return " ".join(found["answer"])


@pytest.fixture
async def story(database_url: str) -> AsyncIterator[Story]:
    async with asyncpg.create_pool(database_url, min_size=1, max_size=2) as pool:
        story = Story(pool)
        await story.begin()
        yield story


async def test_a_deployment_that_was_not_at_work_says_so(story: Story) -> None:
    await story.slice(AT - timedelta(minutes=4), "1m", "5m")
    assert "had not been started yet" in await story.answer()
    await story.tell("deployment_started", AT, deployment={"deployment_id": 1})
    await story.tell("deployment_paused", AT, deployment_id=1, reason="lunch")
    await story.slice(AT, "1m", "5m")
    assert "was paused since 2024-03-01 15:05 UTC: lunch." in await story.answer()
    await story.tell("deployment_failed", AT, deployment_id=1)
    await story.slice(AT + timedelta(minutes=1), "1m")
    later = await story.answer(AT + timedelta(minutes=1))
    assert "was failed since 2024-03-01 15:05 UTC: no reason given." in later


async def test_the_trading_state_of_then_is_told(story: Story) -> None:
    await story.tell("trading_halted", AT, state="halted", reason="panic", actor="ann")
    await story.slice(AT, "1m")
    assert (await story.answer()).startswith(
        "Trading was halted since 2024-03-01 15:05 UTC: panic."
    )
    await story.tell("trading_halted", AT, state="reducing", reason="drawdown 20 %", actor="risk")
    await story.slice(AT + timedelta(minutes=1), "1m")
    assert "Only reductions were sent" in await story.answer(AT + timedelta(minutes=1))
    await story.tell("trading_resumed", AT, actor="ann")
    await story.slice(AT + timedelta(minutes=2), "1m")
    assert "reductions" not in await story.answer(AT + timedelta(minutes=2))


async def test_a_slice_without_its_bar_says_why(story: Story) -> None:
    await story.tell("deployment_started", AT, deployment={"deployment_id": 1})
    await story.slice(AT)
    said = await story.answer()
    assert "No provider sent one" in said
    assert "decides by bars of 5m, and none ended here." in said
    await story.pool.execute(
        'INSERT INTO data_gaps (dataset, stock_id, timeframe, start, "end", bars, state)'
        " SELECT 'simulated', id, '1m', $1, $2, 5, 'provider_hole' FROM stocks"
        " WHERE symbol = 'SPY'",
        AT - timedelta(minutes=3),
        AT + timedelta(minutes=3),
    )
    assert "The gap ledger says: provider_hole." in await story.answer()
    await story.tell("bar_late", AT, bar={"symbol": "SPY", "end": "2024-03-01T15:05:00Z"}, at=AT)
    assert "It came after the slice was closed" in await story.answer()


async def test_slices_after_an_outage_are_told(story: Story) -> None:
    await story.tell("deployment_started", AT, deployment={"deployment_id": 1})
    await story.slice(AT, "1m", "5m", warm_up=True)
    said = await story.answer()
    assert said.startswith("The bars came after an outage")
    assert "only looked on" in said


async def test_a_warm_deployment_without_any_opinion_says_so(story: Story) -> None:
    await story.tell("deployment_started", AT, deployment={"deployment_id": 1})
    await story.slice(AT, "1m", "5m")
    await story.pool.execute(
        "INSERT INTO indicators (dataset, stock_id, timeframe, name, start, value) SELECT"
        " 'simulated', id, '5m', 'slow().mean', $1, 1.5 FROM stocks WHERE symbol = 'SPY'",
        AT - timedelta(minutes=1),
    )
    assert "no opinion but to stay flat" in await story.answer()


@pytest.mark.parametrize(
    ("exposure", "outcome", "quantity", "sentence"),
    [
        (1, "satisfied", None, "wanted an exposure of +1 at 2.0. Nothing had to be done"),
        (0, "expired", None, "wanted to be flat at 2.0. It came to nothing"),
        (1, None, 7, "wanted to hold 7 at 2.0. It has had no outcome yet."),
    ],
)
async def test_a_signal_without_an_order_says_what_became_of_it(
    story: Story, exposure: float, outcome: str | None, quantity: int | None, sentence: str
) -> None:
    await story.tell("deployment_started", AT, deployment={"deployment_id": 1})
    await story.slice(AT, "1m", "5m")
    await story.signal(exposure, outcome, quantity=quantity)
    assert sentence in await story.answer()
