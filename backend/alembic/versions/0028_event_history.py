"""The journal's history: what is critical, and what concerns a deployment, without reading all."""

from alembic import op

revision: str = "0028"
down_revision: str | None = "0027"
branch_labels: str | None = None
depends_on: str | None = None

CRITICAL = """
CREATE INDEX ix_trading_events_critical ON trading_events (recorded_at, stream, seq)
    WHERE priority = 'critical'
"""
DEPLOYMENT = """
CREATE INDEX ix_trading_events_deployment ON trading_events (
    coalesce(substring(payload::text FROM '"ledger":"d([0-9]+)'),
             substring(payload::text FROM '"deployment_id":([0-9]+)')),
    recorded_at, stream, seq
) WHERE priority <> 'low'
"""

# A deployment's events are all in its account's stream: who does not know that sorts them all.
TOGETHER = """
CREATE STATISTICS trading_events_deployment (dependencies, mcv) ON
    coalesce(substring(payload::text FROM '"ledger":"d([0-9]+)'),
             substring(payload::text FROM '"deployment_id":([0-9]+)')),
    stream
FROM trading_events
"""


def upgrade() -> None:
    op.execute(CRITICAL)
    op.execute(DEPLOYMENT)
    op.execute(TOGETHER)


def downgrade() -> None:
    op.execute("DROP STATISTICS trading_events_deployment")
    op.execute("DROP INDEX ix_trading_events_deployment")
    op.execute("DROP INDEX ix_trading_events_critical")
