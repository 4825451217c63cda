"""Daily performance knows the whole account beside its ledgers."""

from alembic import op

revision: str = "0027"
down_revision: str | None = "0026"
branch_labels: str | None = None
depends_on: str | None = None

CHECK = """
ALTER TABLE daily_performance
    DROP CONSTRAINT ck_daily_performance_ledger,
    ADD CONSTRAINT ck_daily_performance_ledger CHECK (ledger ~ '{}')
"""


def upgrade() -> None:
    op.execute(CHECK.format("^(d[1-9][0-9]*|manual|external|account)$"))


def downgrade() -> None:
    op.execute("DELETE FROM daily_performance WHERE ledger = 'account'")
    op.execute(CHECK.format("^(d[1-9][0-9]*|manual|external)$"))
