"""An account with a deployment, in a fresh database."""

import asyncpg
import pytest

KEY = b"k" * 32


@pytest.fixture
async def account_id(pool: asyncpg.Pool) -> int:
    """A paper account with 100 000 and deployment 1 (strategy 1) of AAPL and SPY."""
    account_id: int = await pool.fetchval(
        "INSERT INTO accounts (name, dataset, starting_cash, cash)"
        " VALUES ('Simulation', 'simulated', 100000, 100000) RETURNING id"
    )
    scope = f"account:{account_id}"
    await pool.execute("INSERT INTO journal_streams (stream) VALUES ($1)", scope)
    await pool.execute("INSERT INTO trading_state (scope) VALUES ($1)", scope)
    await pool.execute("INSERT INTO strategies (name) VALUES ('sma_cross')")
    await pool.execute(
        "INSERT INTO deployments (account_id, strategy_id, symbols, timeframe)"
        " VALUES ($1, 1, '{AAPL,SPY}', '1m')",
        account_id,
    )
    return account_id
