"""Limits of the day's money and of day trades; what limits mean in the words of now."""

import json
from collections.abc import Mapping

import sqlalchemy as sa

from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: str | None = None
depends_on: str | None = None

NEW: tuple[tuple[str, object, str], ...] = (
    (
        "max_daily_notional",
        None,
        "Money that the orders of a session may move, buys and sells together.",
    ),
    ("max_day_trades", 3, "Day trades in five sessions, of an account below day_trade_equity."),
    ("day_trade_equity", "25000", "Equity from which on day trades are not counted."),
)
WORDS = {
    "max_drawdown": "Fall from the peak at which only reductions pass, until a person resumes.",
    "max_concurrent_orders": "Open orders at a time, in all accounts of a user together.",
}
ADD = """
INSERT INTO system_config (scope, key, value, description)
VALUES ('all', :key, CAST(:value AS jsonb), :description)
ON CONFLICT (scope, key) DO UPDATE SET description = excluded.description
"""
SAY = "UPDATE system_config SET description = :description WHERE scope = 'all' AND key = :key"


def upgrade() -> None:
    for key, value, description in NEW:
        text = json.dumps(value)
        op.execute(sa.text(ADD).bindparams(key=key, value=text, description=description))
    _say(WORDS)


def downgrade() -> None:
    """Values that people set stay: a version that does not know them passes over them."""


def _say(words: Mapping[str, str]) -> None:
    for key, description in words.items():
        op.execute(sa.text(SAY).bindparams(key=key, description=description))
