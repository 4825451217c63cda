"""Sample data adds up, is labelled, and stays away from anything real."""

from decimal import Decimal

import asyncpg
import pytest

from app.core.errors import Conflict
from app.core.security import verify_password
from app.repositories import journal
from app.services import sample

KEY = bytes(32)


async def test_every_table_of_the_story_has_rows(pool: asyncpg.Pool) -> None:
    report = await sample.fill(pool, KEY)
    assert all(report.rows.values())
    assert report.rows["orders"] == report.rows["executions"]


async def test_cash_is_what_was_there_and_what_was_paid(pool: asyncpg.Pool) -> None:
    await sample.fill(pool, KEY)
    account = await pool.fetchrow("SELECT * FROM accounts")
    paid = await pool.fetchval(
        "SELECT sum(CASE side WHEN 'buy' THEN -1 ELSE 1 END * quantity * price - commission) "
        "FROM executions"
    )
    ledgers = await pool.fetchval("SELECT sum(cash) FROM ledgers")
    assert account["cash"] == account["starting_cash"] + paid
    assert ledgers == paid


async def test_positions_are_the_sum_of_executions(pool: asyncpg.Pool) -> None:
    await sample.fill(pool, KEY)
    differences = await pool.fetch(
        "SELECT p.ledger, p.quantity, sum(CASE e.side WHEN 'buy' THEN 1 ELSE -1 END * e.quantity) "
        "FROM positions p JOIN executions e USING (account_id, ledger, instrument_id) "
        "GROUP BY p.account_id, p.ledger, p.instrument_id, p.quantity "
        "HAVING p.quantity <> sum(CASE e.side WHEN 'buy' THEN 1 ELSE -1 END * e.quantity)"
    )
    assert differences == []


async def test_trades_add_up_to_what_the_positions_realized(pool: asyncpg.Pool) -> None:
    await sample.fill(pool, KEY)
    trades = await pool.fetchval("SELECT sum(pnl + commission) FROM trades")
    assert trades == await pool.fetchval("SELECT sum(realized_pnl) FROM positions")
    assert trades != Decimal(0)


async def test_it_is_labelled_and_no_engine_takes_it(pool: asyncpg.Pool) -> None:
    await sample.fill(pool, KEY)
    account = await pool.fetchrow("SELECT * FROM accounts")
    assert (account["name"], account["dataset"]) == ("Sample", "import:sample")
    assert account["active"] is False
    assert await pool.fetchval("SELECT DISTINCT source FROM stock_data") == "sample"


async def test_the_person_can_sign_in_with_the_printed_password(pool: asyncpg.Pool) -> None:
    report = await sample.fill(pool, KEY)
    stored = await pool.fetchval("SELECT password_hash FROM users WHERE email = $1", report.email)
    assert verify_password(stored, report.password)


async def test_the_journal_of_the_story_is_an_unbroken_chain(pool: asyncpg.Pool) -> None:
    report = await sample.fill(pool, KEY)
    stream = f"account:{report.account_id}"
    assert await journal.verify(pool, stream, KEY) == report.rows["trading_events"]


async def test_it_is_made_once(pool: asyncpg.Pool) -> None:
    await sample.fill(pool, KEY)
    with pytest.raises(Conflict, match="already"):
        await sample.fill(pool, KEY)


async def test_production_gets_none(pool: asyncpg.Pool) -> None:
    with pytest.raises(Conflict, match="production"):
        await sample.fill(pool, KEY, is_production=True)


@pytest.mark.parametrize(
    ("real", "sentence"),
    [
        (
            "INSERT INTO accounts (name, dataset, mode, broker) "
            "VALUES ('Real', 'live', 'live', 'ibkr')",
            "live account",
        ),
        (
            "INSERT INTO stock_data SELECT 'live', id, '1d', now(), now() + interval '1 hour', "
            "1, 1, 1, 1, 1, 1, 'feed' FROM stocks LIMIT 1",
            "live market data",
        ),
    ],
)
async def test_it_stays_away_from_what_is_real(
    pool: asyncpg.Pool, real: str, sentence: str
) -> None:
    await pool.execute(real)
    with pytest.raises(Conflict, match=sentence):
        await sample.fill(pool, KEY)
    assert await pool.fetchval("SELECT count(*) FROM users") == 0
