"""Corporate actions in their table: stored once, replaced with a trace, read as of an instant."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from app.core.errors import InvalidInput
from app.domain.market import Timeframe
from app.marketdata.ports import Action
from app.repositories import audit, corporate_actions
from app.repositories.adjusted_bars import adjusted_bars
from app.repositories.corporate_actions import load, store
from app.repositories.stock_data import StockData
from tests.factories import make_batch

from .conftest import KEY

D = Decimal
MONDAY = date(2024, 3, 4)


def told(**given: Any) -> Action:
    fields = {"symbol": "AAPL", "kind": "split", "ex_date": MONDAY}
    if given.get("kind", "split") == "split":
        fields["ratio"] = D(2)
    return Action(**{**fields, **given})


async def test_telling_it_again_changes_nothing(pool: asyncpg.Pool) -> None:
    actions = [told(), told(kind="dividend", amount=D("0.5"))]
    first = await store(pool, "import:a", actions, "file.csv")
    again = await store(pool, "import:a", actions, "file.csv")
    assert (first.inserted, first.changed, first.unchanged) == (2, 0, 0)
    assert (again.inserted, again.changed, again.unchanged) == (0, 0, 2)
    assert await store(pool, "import:a", [], "file.csv") == corporate_actions.Stored()
    found = await load(pool, "import:a")
    assert [(one.kind, one.ratio, one.amount) for one in found] == [
        ("dividend", None, D("0.5")),
        ("split", D(2), None),
    ]
    assert found[0].known_at == datetime(2024, 3, 4, 5, tzinfo=UTC)


async def test_what_is_told_otherwise_replaces_it_and_leaves_a_trace(pool: asyncpg.Pool) -> None:
    await store(pool, "import:a", [told(ratio=D(3))], "vendor")
    stored = await store(
        pool, "import:a", [told(ratio=D(2))], "vendor", audit_key=KEY, actor="anna"
    )
    assert stored.changed == 1
    assert [one.ratio for one in await load(pool, "import:a")] == [2]
    details = await pool.fetchval(
        "SELECT details -> 'before' -> 0 ->> 'ratio' FROM corporate_actions"
    )
    assert D(details) == 3
    row = await pool.fetchrow(
        "SELECT actor, resource, payload -> 'before' ->> 'ratio' AS was,"
        " payload -> 'after' ->> 'ratio' AS now FROM audit_trail"
    )
    assert (row["actor"], row["resource"]) == ("anna", "corporate_action")
    assert (D(row["was"]), D(row["now"])) == (3, 2)
    assert await audit.verify(pool, KEY) == 1


async def test_of_several_sources_the_newest_word_holds(pool: asyncpg.Pool) -> None:
    await store(pool, "import:a", [told(ratio=D(3))], "one")
    await store(pool, "import:a", [told(ratio=D(2))], "other")
    assert [one.ratio for one in await load(pool, "import:a")] == [2]
    await store(pool, "import:a", [told(ratio=D(4))], "one")
    assert [one.ratio for one in await load(pool, "import:a")] == [4]
    assert await load(pool, "import:b") == []


async def test_dividends_of_a_day_are_one(pool: asyncpg.Pool) -> None:
    regular = told(kind="dividend", amount=D("0.5"))
    extra = told(kind="dividend", amount=D("3"))
    await store(pool, "import:a", [regular, extra], "vendor")
    assert [one.amount for one in await load(pool, "import:a")] == [D("3.5")]


async def test_what_is_read_can_be_bounded(pool: asyncpg.Pool) -> None:
    later = date(2024, 6, 3)
    known = datetime(2024, 5, 1, tzinfo=UTC)
    await store(
        pool,
        "live",
        [told(), told(ex_date=later, known_at=known), told(symbol="IBM")],
        "vendor",
    )
    assert len(await load(pool, "live")) == 3
    assert len(await load(pool, "live", ["AAPL"])) == 2
    assert [one.ex_date for one in await load(pool, "live", start=later)] == [later]
    assert len(await load(pool, "live", end=later)) == 2
    assert len(await load(pool, "live", known_by=datetime(2024, 4, 1, tzinfo=UTC))) == 2
    lived = await load(pool, "live", ["AAPL"], lived_since=date(2024, 5, 1))
    assert [one.known_at.year for one in lived if one.known_at] == [2024, datetime.now(UTC).year]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"ratio": None}, "ratio"),
        ({"kind": "dividend"}, "amount"),
        ({"kind": "symbol_change"}, "new_symbol"),
        ({"ratio": D(-1)}, "ratio"),
        ({"ratio": D("NaN")}, "ratio"),
        ({"kind": "dividend", "amount": D(0)}, "amount"),
        ({"kind": "symbol_change", "new_symbol": "aapl"}, "new_symbol"),
        ({"currency": "dollars"}, "currency"),
    ],
)
async def test_a_bad_one_is_named_and_nothing_is_stored(
    pool: asyncpg.Pool, given: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await store(pool, "import:a", [told(symbol="IBM"), told(**given)], "vendor")
    assert refused.value.field == field
    assert await load(pool, "import:a") == []


async def test_a_new_symbol_becomes_a_stock(pool: asyncpg.Pool) -> None:
    await store(pool, "live", [told(symbol="FB", kind="symbol_change", new_symbol="meta")], "v")
    assert await pool.fetchval("SELECT count(*) FROM stocks WHERE symbol IN ('FB', 'META')") == 2


async def test_bars_are_read_in_the_shares_of_an_instant(pool: asyncpg.Pool) -> None:
    bars = StockData(pool, "import:a")
    days = make_batch([100.0, 50.0, 49.0], timeframe=Timeframe.D1)
    minutes = make_batch([100.0, 100.0])
    await corporate_actions.store(pool, "import:a", [told()], "v")
    await bars.store([days, minutes], "file")
    paid = told(kind="dividend", ex_date=date(2024, 3, 5), amount=D(5))
    await store(pool, "import:a", [paid], "v")

    async def closes(as_of: str | None, batch: Any = days) -> list[float]:
        at = datetime.fromisoformat(as_of).replace(tzinfo=UTC) if as_of else None
        return (await adjusted_bars(pool, bars, batch, at)).rows["close"].tolist()

    assert await closes("2024-03-01T21:00") == [100, 50, 49]
    assert await closes("2024-03-04T14:00") == [50, 50, 49]
    assert await closes("2024-03-05T14:00") == [45, 45, 49]
    assert await closes(None) == [45, 45, 49]
    assert await closes(None, minutes) == [45, 45]
    assert len(await adjusted_bars(pool, bars, days[:0])) == 0


async def test_without_daily_bars_the_close_before_is_made_from_minutes(
    pool: asyncpg.Pool,
) -> None:
    bars = StockData(pool, "import:a")
    await store(pool, "import:a", [told(kind="dividend", amount=D(10))], "v")
    await bars.store([make_batch([100.0] * 390)], "file")
    stored = await bars.bars("AAPL", Timeframe.M1, limit=1)
    assert (await adjusted_bars(pool, bars, stored)).rows["close"].tolist() == [90]
