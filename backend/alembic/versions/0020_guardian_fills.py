"""Fills of the guardian belong to the ledger that held, though no engine made their orders."""

from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | None = None
depends_on: str | None = None

RULE = "order_id IS NOT NULL OR ledger = 'external'"
GUARDIAN = "client_order_id LIKE '%-guardian%'"


def _check(rule: str) -> None:
    op.execute("ALTER TABLE executions DROP CONSTRAINT ck_executions_order")
    op.execute(f"ALTER TABLE executions ADD CONSTRAINT ck_executions_order CHECK ({rule})")


def upgrade() -> None:
    _check(f"{RULE} OR {GUARDIAN}")


def downgrade() -> None:
    op.execute(f"UPDATE executions SET ledger = 'external' WHERE order_id IS NULL AND {GUARDIAN}")
    _check(RULE)
