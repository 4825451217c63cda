"""Views show what their documents expect, from the tables beneath."""

from decimal import Decimal

import pytest
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from tests.models.rows import ACCOUNT, CLOSED, DAY, DEPLOYMENT, samples


@pytest.fixture
async def filled(session: AsyncSession) -> AsyncSession:
    for sample in samples():
        session.add(sample.row)
        await session.flush()
    return session


async def one(session: AsyncSession, view: str) -> Row[tuple[object, ...]]:
    return (await session.execute(text(f"SELECT * FROM {view}"))).one()


async def test_agent_positions_show_agent_and_ticker(filled: AsyncSession) -> None:
    row = await one(filled, "agent_positions")
    assert (row.agent_id, row.ticker, row.quantity) == (DEPLOYMENT, "IBM", Decimal(100))


async def test_agent_trades_show_agent_ticker_and_date(filled: AsyncSession) -> None:
    row = await one(filled, "agent_trades")
    assert (row.agent_id, row.ticker, row.trade_date) == (DEPLOYMENT, "IBM", DAY)


async def test_a_position_is_marked_with_the_newest_bar_of_its_data_set(
    filled: AsyncSession,
) -> None:
    row = await one(filled, "trading_positions")
    assert row.market_price == Decimal("10.5")
    assert row.market_value == Decimal(1050)
    assert row.unrealized_pnl == Decimal(-1)


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE accounts SET dataset = 'simulated' WHERE id = {ACCOUNT}",
        f"UPDATE accounts SET clock_at = '2024-02-29' WHERE id = {ACCOUNT}",
    ],
)
async def test_a_position_never_sees_other_data_or_the_future(
    filled: AsyncSession, change: str
) -> None:
    await filled.execute(text(change))
    assert (await one(filled, "trading_positions")).market_price is None


async def test_stock_prices_are_the_one_minute_rows(filled: AsyncSession) -> None:
    await filled.execute(
        text(
            "INSERT INTO stock_data SELECT dataset, stock_id, '1d', start, :end, open, high, low, "
            "close, volume, vwap, source FROM stock_data"
        ),
        {"end": CLOSED},
    )
    row = await one(filled, "stock_prices")
    assert (row.symbol, row.open_price, row.close_price) == ("IBM", 10.0, 10.5)


async def test_strategy_performance_adds_up_the_trades(filled: AsyncSession) -> None:
    await filled.execute(
        text(
            "INSERT INTO trades (account_id, trade_id, ledger, strategy_id, instrument_id, "
            "trade_date, quantity, entry_price, exit_price, entry_at, exit_at, pnl) "
            "SELECT account_id, 't2', ledger, strategy_id, instrument_id, trade_date, quantity, "
            "entry_price, exit_price, entry_at, exit_at, -4.995 FROM trades"
        )
    )
    row = await one(filled, "strategy_performance")
    assert (row.strategy, row.trades, row.winning_trades) == ("sample_cross", 2, 1)
    assert row.realized_pnl == Decimal("4.995")
    assert row.win_rate == 0.5
    assert row.profit_factor == 2


async def test_an_order_shows_what_remains(filled: AsyncSession) -> None:
    row = await one(filled, "trading_orders")
    assert (row.symbol, row.remaining_quantity) == ("IBM", Decimal(100))


async def test_a_deployment_shows_its_strategy_and_account(filled: AsyncSession) -> None:
    row = await one(filled, "strategy_deployments")
    assert (row.strategy, row.account, row.mode) == ("sample_cross", "Replay", "paper")
